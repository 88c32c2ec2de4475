"""The conflict page: what both sides started from, what the other saved, what you typed."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from app.core.templating import pretty_json
from app.models import Agent, AuditEvent
from app.pages.audit_view import actor_label
from app.pages.diffs import DiffRow, diff_lines
from app.services.agents import AgentService

LONG_FIELDS = frozenset({"system_prompt", "internal_notes", "config", "description"})
FIELDS = (
    "name",
    "description",
    "model_name",
    "max_tokens",
    "system_prompt",
    "config",
    "internal_notes",
    "is_active",
    "tool_ids",
)


@dataclass(frozen=True, slots=True)
class MergeField:
    """One field of the merge; values are texts as the form sends them."""

    name: str
    base: str
    theirs: str
    yours: str
    is_long: bool
    diff: list[DiffRow]

    @property
    def both_changed(self) -> bool:
        return self.yours not in (self.base, self.theirs) and self.theirs != self.base

    @property
    def you_changed(self) -> bool:
        return self.yours != self.base

    @property
    def take_yours(self) -> bool:
        """What is chosen at first: the side that changed it; yours where both did."""
        return self.you_changed


def as_text(name: str, value: Any) -> str:  # a field's value
    if name == "config":
        return pretty_json(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def merge_fields(
    base: dict[str, Any], theirs: dict[str, Any], yours: dict[str, Any]
) -> list[MergeField]:
    """The fields that differ on any side."""
    found = []
    for name in FIELDS:
        was, saved, typed = (as_text(name, side.get(name)) for side in (base, theirs, yours))
        if not was == saved == typed:
            is_long = name in LONG_FIELDS
            diff = diff_lines(saved, typed) if is_long else []
            found.append(MergeField(name, was, saved, typed, is_long, diff))
    return found


async def conflict_context(
    agents: AgentService, agent: Agent, version: int | None, data: BaseModel
) -> dict[str, Any]:
    """Everything the conflict page shows; saving it posts to the edit form with the new version."""
    theirs: dict[str, Any] = {name: getattr(agent, name) for name in FIELDS if name != "tool_ids"}
    base = await agents.audit.values_at(agent, version or 0, theirs)
    yours = {name: getattr(data, name) for name in FIELDS if name in data.model_fields_set}
    tools = {"tool_ids": sorted(tool.id for tool in agent.tools)}
    event = await agents.audit.last_change(agent)
    names = await agents.audit.actor_names([event]) if event else {}
    fields = merge_fields(base, theirs, theirs | yours | tools)
    return {
        "agent": agent,
        "fields": fields,
        "kept": unchanged(fields, theirs | tools),
        "who": who(event, names),
        "when": event.at if event else agent.updated_at,
        "tool_ids": sorted(getattr(data, "tool_ids", [])),
        "their_tool_ids": tools["tool_ids"],
    }


def unchanged(fields: list[MergeField], theirs: dict[str, Any]) -> dict[str, str]:
    """Fields nobody has to choose: they go along as they are stored."""
    differing = {field.name for field in fields} | {"tool_ids"}
    return {n: as_text(n, theirs[n]) for n in FIELDS if n not in differing}


def who(event: AuditEvent | None, names: dict[str, str]) -> str:
    return actor_label(event, names) if event else "Someone"
