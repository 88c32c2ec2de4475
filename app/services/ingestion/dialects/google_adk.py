"""Google's Agent Development Kit: requests and answers as Gemini has them."""

from app.services.ingestion.dialects.dialect import Dialect

GOOGLE_ADK = Dialect(
    name="google_adk",
    prefixes=("gcp.vertex.agent.",),
    fields={"session_id": ("gcp.vertex.agent.session_id",)},
    inputs=("gcp.vertex.agent.llm_request", "gcp.vertex.agent.tool_call_args"),
    outputs=("gcp.vertex.agent.llm_response", "gcp.vertex.agent.tool_response"),
)
