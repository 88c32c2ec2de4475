"""Google's Agent Development Kit: requests and answers as Gemini has them."""

from app.services.ingestion.dialects.dialect import Dialect

GOOGLE_ADK = Dialect(
    name="google_adk",
    prefixes=("gcp.vertex.agent.",),
    fields={"session_id": ("gcp.vertex.agent.session_id",)},
    # Tools carry an empty request and response beside their own.
    inputs=("gcp.vertex.agent.tool_call_args", "gcp.vertex.agent.llm_request"),
    outputs=("gcp.vertex.agent.tool_response", "gcp.vertex.agent.llm_response"),
)
