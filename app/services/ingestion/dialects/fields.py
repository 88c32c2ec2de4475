"""The facts that attributes hold, and how each is read."""

from collections.abc import Callable
from typing import Any

from app.services.ingestion.dialects import values
from app.services.ingestion.dialects.providers import provider_id

Read = Callable[[Any], Any]  # an attribute value to a fact, None where it is of no use

READERS: dict[str, Read] = {
    "agent_id": values.identifier,
    "agent_name": values.name,
    "agent_version": values.identifier,
    "agent_description": values.long_text,
    "greenroom_id": values.identifier,
    "greenroom_revision": values.identifier,
    "service_name": values.name,
    "session_id": values.identifier,
    "end_user": values.identifier,
    "environment": values.name,
    "release": values.identifier,
    "provider": provider_id,
    "model_answered": values.model,
    "model_asked": values.model,
    "input_tokens": values.count,
    "output_tokens": values.count,
    "total_tokens": values.count,
    "cached": values.count,
    "cache_write": values.count,
    "reasoning": values.count,
    "cost": values.amount,
    "tool_name": values.name,
    "tool_call_id": values.identifier,
    "error": values.long_text,
    "error_type": values.name,
    "tags": values.tags,
}
