"""The conventions for the Model Context Protocol: a call of a tool is a tool's step."""

from app.models.spans import SpanKind
from app.services.ingestion.dialects.dialect import Dialect

MCP = Dialect(
    name="mcp",
    prefixes=("mcp.",),
    kinds={
        "mcp.method.name": {
            "tools/call": SpanKind.TOOL,
            "resources/read": SpanKind.RETRIEVER,
            "prompts/get": SpanKind.CHAIN,
        }
    },
    fields={"session_id": ("mcp.session.id",)},
)
