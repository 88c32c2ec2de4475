"""What OpenInference's instrumentation of LangChain and LangGraph says beside its conventions.

Source: Arize-ai/openinference, openinference-instrumentation-langchain, and what ``create_agent``
of langchain 1.x leaves in its metadata.
"""

from collections.abc import Mapping
from typing import Any

from app.models.spans import SpanKind
from app.services.ingestion.dialects.dialect import Seen
from app.services.ingestion.dialects.messages import Conversation, conversation_in
from app.services.ingestion.dialects.values import name

MESSAGE = {"type", "data"}  # of LangChain's message_to_dict


def agent_in(seen: Seen) -> Mapping[str, Any]:
    """The graph of an agent, whose nodes have their agent's name in their metadata as well."""
    metadata = seen.value("metadata")
    if type(metadata) is not dict or "langgraph_node" in metadata:
        return {}
    agent_name = name(metadata.get("lc_agent_name"))
    return {"agent_name": agent_name, "kind_in_graph": SpanKind.AGENT} if agent_name else {}


def answered(seen: Seen) -> Any:  # any JSON value
    """What a tool said, of the message that it is wrapped in."""
    value = seen.value("output.value")
    if seen.kind is not SpanKind.TOOL or type(value) is not dict or value.keys() != MESSAGE:
        return None
    message = value["data"]
    return message.get("content") if type(message) is dict and value["type"] == "tool" else None


def added(seen: Seen) -> Conversation | None:
    """The answer at the end of a state, which begins with all that was said before."""
    state = seen.value("output.value")
    if type(state) is list and len(state) == 1 and type(state[0]) is dict:
        state = state[0].get("update")  # a node's command
    if type(state) is not dict or state.keys() != {"messages"}:
        return None
    whole = conversation_in(state, "assistant", strict=True) or []
    others = [at for at, message in enumerate(whole, 1) if message["role"] != "assistant"]
    return Conversation(whole[others[-1] if others else 0 :]) or None
