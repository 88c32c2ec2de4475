"""Providers by the ids of genai-prices."""

from functools import lru_cache
from typing import Any

from app.services.ingestion.dialects.values import MAX_PROVIDER

# Frameworks that name themselves where a provider belongs.
FRAMEWORKS = frozenset(
    {
        "langchain",
        "langgraph",
        "langsmith",
        "llamaindex",
        "llama_index",
        "crewai",
        "haystack",
        "traceloop",
        "agno",
        "autogen",
        "vercel",
        "unknown",
        "custom",
        "none",
        "_other",
        "microsoft.agent_framework",
        "strands-agents",
    }
)
IDS = {
    "openai": "openai",
    "anthropic": "anthropic",
    "claude": "anthropic",
    "aws": "aws",
    "aws.bedrock": "aws",
    "aws_bedrock": "aws",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "amazon": "aws",
    "amazon-bedrock": "aws",
    "amazon_bedrock": "aws",
    "azure": "azure",
    "az": "azure",
    "az.ai.openai": "azure",
    "az.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "azure-openai": "azure",
    "azure_openai": "azure",
    "azure_ai": "azure",
    "google": "google",
    "google-vertex": "google",
    "google_genai": "google",
    "google_vertexai": "google",
    "google_anthropic_vertex": "google",
    "google-gla": "google",
    "google-generative-ai": "google",
    "gcp": "google",
    "gcp.gemini": "google",
    "gcp.vertex_ai": "google",
    "gcp.vertex.agent": "google",
    "gcp.gen_ai": "google",
    "vertex_ai": "google",
    "vertexai": "google",
    "vertex": "google",
    "gemini": "google",
    "mistral": "mistral",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "moonshot_ai": "moonshotai",
    "moonshot": "moonshotai",
    "moonshotai": "moonshotai",
    "xai": "x-ai",
    "x_ai": "x-ai",
    "x-ai": "x-ai",
    "x.ai": "x-ai",
    "meta": "meta",
    "meta-llama": "meta",
    "together": "together",
    "togetherai": "together",
    "together_ai": "together",
    "fireworks": "fireworks",
    "fireworks_ai": "fireworks",
    "voyage": "voyageai",
    "voyage_ai": "voyageai",
    "zai": "zai",
    "z.ai": "zai",
    "ibm.watsonx.ai": "ibm.watsonx.ai",
}


def provider_id(value: Any) -> str | None:  # any attribute value
    """``openai`` for OpenAI and ``openai.responses``; an unknown name as it is, in lower case."""
    if type(value) is not str or not value:
        return None
    return IDS.get(value) or _provider_id(value[:MAX_PROVIDER])


@lru_cache(maxsize=500)
def _provider_id(value: str) -> str | None:
    name = value.strip().strip('"').lower()
    known = IDS.get(name) or IDS.get(name.replace(" ", "_"))
    if known is not None:
        return known
    if name in FRAMEWORKS:
        return None
    first = name.partition(".")[0]
    return IDS.get(first, first) or None
