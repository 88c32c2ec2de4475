"""Runs with a small trace."""

from secrets import token_hex
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import Agent, Execution
from app.schemas.executions import ExecutionCreate
from app.services.executions import ExecutionService

START = "2026-11-01T10:00:00Z"


QUESTION = {"role": "user", "content": "Where is my bag?"}
CALL = {"id": "c1", "type": "function", "function": {"name": "find_bag", "arguments": "{}"}}
ROOT = {
    "span_id": "00000000000000a1",
    "kind": "agent",
    "name": "run",
    "started_at": START,
    "ended_at": "2026-11-01T10:00:05Z",
}
MODEL_STEP = {
    "span_id": "00000000000000b1",
    "parent_span_id": "00000000000000a1",
    "kind": "llm",
    "name": "chat gpt-4o",
    "model": "gpt-4o",
    "started_at": "2026-11-01T10:00:01Z",
    "ended_at": "2026-11-01T10:00:02Z",
    "input_tokens": 100,
    "output_tokens": 20,
    "input": [QUESTION],
    "output": {"role": "assistant", "content": None, "tool_calls": [CALL]},
}
FAILED_TOOL_STEP = {
    "span_id": "00000000000000c1",
    "parent_span_id": "00000000000000a1",
    "kind": "tool",
    "name": "find_bag",
    "tool_name": "find_bag",
    "status": "error",
    "started_at": "2026-11-01T10:00:02Z",
    "ended_at": "2026-11-01T10:00:03Z",
    "input": {},
    "output": "Error: bag not found",
}


def execution_data(agent: Agent, **values: Any) -> dict[str, Any]:
    """The JSON of a run: the run itself, a model step, and a failed tool step."""
    return {
        "agent_id": agent.id,
        "external_id": token_hex(8),
        "status": "succeeded",
        "started_at": START,
        "ended_at": "2026-11-01T10:00:05Z",
        "input": {"messages": [QUESTION]},
        "output": "It is in Rome.",
        "spans": [ROOT, MODEL_STEP, FAILED_TOOL_STEP],
    } | values


async def make_execution(
    session: AsyncSession, actor: Actor, agent: Agent, **values: Any
) -> Execution:
    data = ExecutionCreate.model_validate(execution_data(agent, **values))
    return (await ExecutionService(session, actor).record(data)).execution
