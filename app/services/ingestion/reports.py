"""What a report of a run says, beyond its fields. Pure functions."""

import hashlib
import json
from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from pydantic import BaseModel

from app.core.actor import Actor
from app.models.executions import CostSource
from app.schemas.bulk import Problem
from app.schemas.executions import ExecutionCreate, ExecutionUpdate
from app.services.conversation import text_of
from app.services.traces import Totals, texts_in

PREVIEW_LENGTH = 200
MOST_WORDS = PREVIEW_LENGTH // 2  # of one letter each: no more of a long text is split
USAGE_FIELDS = (
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost",
)


def content_digest(data: ExecutionCreate) -> bytes:
    sent = data.model_dump(mode="json", exclude_unset=True)
    return hashlib.sha256(json.dumps(sent, sort_keys=True).encode()).digest()


def trace_id_for(data: ExecutionCreate, agent_id: int) -> bytes:
    """The sender's trace id; else one that follows from the external id, or a random one."""
    if data.trace_id is not None:
        return bytes.fromhex(data.trace_id)
    if data.external_id is not None:
        return hashlib.sha256(f"{agent_id}:{data.external_id}".encode()).digest()[:16]
    return uuid4().bytes


def apart(trace_id: bytes, actor: Actor) -> bytes:
    """Another id for a trace of this sender, each time the same.

    For where a run that they may not see has the one they send (a trace may span two owners).
    """
    whose = f"user:{actor.user_id}"
    if actor.only_agent_id is not None:
        whose = f"agent:{actor.only_agent_id}"
    return hashlib.sha256(f"{whose}:".encode() + trace_id).digest()[:16]


def latency_ms(started_at: datetime, ended_at: datetime | None) -> int | None:
    if ended_at is None:
        return None
    return max(0, (ended_at - started_at) // timedelta(milliseconds=1))


def preview_of(value: Any) -> str | None:  # any JSON value
    """The first words of the input; of a conversation, what the user said first."""
    messages = value.get("messages") if isinstance(value, dict) else value
    if isinstance(messages, list):
        spoken = [m for m in messages if isinstance(m, dict) and m.get("role") == "user"]
        value = spoken_in(spoken[0]) if spoken else value
    words: list[str] = []
    for text in texts_in(value):
        words += text.split(None, MOST_WORDS)[:MOST_WORDS]
        if len(words) >= MOST_WORDS:
            break
    return " ".join(words)[:PREVIEW_LENGTH].rstrip() or None


def source_of(cost: Decimal | None, steps: Collection[CostSource]) -> CostSource:
    """Where a run's cost is from, by those of its steps; without steps it was sent."""
    if cost is None:
        return CostSource.UNPRICED
    return CostSource.COMPUTED if CostSource.COMPUTED in steps else CostSource.REPORTED


def spoken_in(message: dict[str, Any]) -> Any:  # any JSON value
    """What a message says: of content parts their texts, not the names of their kinds."""
    content = message.get("content") or message.get("parts")
    return text_of(content) if isinstance(content, list) else content


def model_of(data: ExecutionCreate | ExecutionUpdate) -> str | None:
    """The model that is said of the run, else that of its first step that has one."""
    return data.model_name or next((s.model_name for s in data.spans if s.model_name), None)


def usage_values(data: BaseModel, totals: Totals, steps: Collection[CostSource]) -> dict[str, Any]:
    """What the sender says of the whole run, else the sums over its spans."""
    reported = reported_in(data)
    values = {
        field: getattr(data if field in reported else totals, field) for field in USAGE_FIELDS
    }
    source = source_of(values["cost"], () if "cost" in reported else steps)
    return values | {"cost_source": source, "totals_reported": reported}


def reported_in(data: BaseModel) -> list[str]:
    """The totals that are said of the whole run; an explicit null is to be summed."""
    return sorted(field for field in USAGE_FIELDS if getattr(data, field, None) is not None)


def external_id_of(item: ExecutionCreate | Problem) -> str | None:
    """The sender's id, as an answer can hold it: no lone surrogates."""
    if not isinstance(item, Problem):
        return item.external_id
    given = item.given.get("external_id") if isinstance(item.given, dict) else None
    return given.encode("utf-8", "replace").decode() if isinstance(given, str) else None
