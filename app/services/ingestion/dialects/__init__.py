"""What spans say, read from the attributes of the GenAI conventions."""

from typing import Any

from app.models.spans import SpanKind
from app.services.ingestion.facts import AgentFacts, SpanFacts, UsageFacts
from app.services.ingestion.wire import WireSpan

KINDS = {
    "chat": SpanKind.LLM,
    "execute_tool": SpanKind.TOOL,
    "invoke_agent": SpanKind.AGENT,
}


def read_span(span: WireSpan) -> SpanFacts:
    """Never raises."""
    said: dict[str, Any] = span.attributes
    usage = UsageFacts(
        said.get("gen_ai.usage.input_tokens"), said.get("gen_ai.usage.output_tokens")
    )
    service = span.origin.resource.get("service.name")
    return SpanFacts(
        KINDS.get(str(said.get("gen_ai.operation.name")), SpanKind.OTHER),
        said,
        usage,
        AgentFacts(name=said.get("gen_ai.agent.name"), service_name=service),
        model_name=said.get("gen_ai.request.model"),
        provider=said.get("gen_ai.provider.name"),
        tool_name=said.get("gen_ai.tool.name"),
        input=said.get("gen_ai.input.messages"),
        output=said.get("gen_ai.output.messages"),
        session_id=said.get("gen_ai.conversation.id"),
    )
