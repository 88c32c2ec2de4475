"""The conflict page: what both sides started from, what the other saved, what you typed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from app.core.templating import pretty_json
from app.core.texts import _, lazy
from app.models import Agent, AuditEvent
from app.pages.audit_view import actor_label
from app.pages.diffs import DiffRow, diff_lines
from app.services.agents import AgentService
from app.services.tools import ToolService

LABELS: Mapping[str, str] = {
    "name": lazy("Name"),
    "description": lazy("Description"),
    "model_name": lazy("Model"),
    "max_tokens": lazy("Max tokens"),
    "system_prompt": lazy("System prompt"),
    "config": lazy("Config"),
    "internal_notes": lazy("Internal notes"),
    "tags": lazy("Tags"),
    "is_active": lazy("Active"),
    "tools": lazy("Tools"),
}
LONG_FIELDS = frozenset({"system_prompt", "internal_notes", "config"})


@dataclass(frozen=True, slots=True)
class MergeField:
    """One field of the merge, each side as text."""

    name: str
    label: str
    base: str
    theirs: str
    yours: str
    diff: list[DiffRow]

    @property
    def take_yours(self) -> bool:
        """What is chosen at first: your value where you changed it."""
        return self.yours != self.base

    @property
    def both_changed(self) -> bool:
        return self.take_yours and self.theirs not in (self.base, self.yours)


def as_text(value: Any) -> str:  # a field's value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return pretty_json(value)
    if isinstance(value, list):
        return ", ".join(value)
    return "" if value is None else str(value)


def merge_fields(
    base: dict[str, Any], theirs: dict[str, Any], yours: dict[str, Any]
) -> list[MergeField]:
    """The fields that are not the same on all three sides."""
    found = []
    for name, label in LABELS.items():
        was, saved, typed = (as_text(side.get(name)) for side in (base, theirs, yours))
        if not was == saved == typed:
            diff = diff_lines(saved, typed) if name in LONG_FIELDS else []
            found.append(MergeField(name, label, was, saved, typed, diff))
    return found


async def conflict_context(
    agents: AgentService, agent: Agent, version: int, data: BaseModel
) -> dict[str, Any]:
    """Everything the conflict page shows; saving it posts the choices and the newer version."""
    theirs: dict[str, Any] = {name: getattr(agent, name) for name in LABELS if name != "tools"}
    theirs["tools"] = sorted(tool.name for tool in agent.tools)
    yours = theirs | {name: getattr(data, name) for name in LABELS if hasattr(data, name)}
    typed_tools = await ToolService(agents.session, agents.actor).by_ids(
        getattr(data, "tool_ids", [])
    )
    yours["tools"] = sorted(tool.name for tool in typed_tools)
    base = await agents.audit.values_at(agent, version, theirs)
    event = await agents.audit.last_change(agent)
    names = await agents.audit.actor_names([event]) if event else {}
    fields = merge_fields(base, theirs, yours)
    return {
        "agent": agent,
        "fields": fields,
        "kept": {n: as_text(v) for n, v in theirs.items() if n not in {f.name for f in fields}},
        "tool_ids": {
            "theirs": sorted(tool.id for tool in agent.tools),
            "yours": sorted(tool.id for tool in typed_tools),
        },
        "who": who(event, names),
        "when": event.at if event else agent.updated_at,
    }


def who(event: AuditEvent | None, names: Mapping[str, str]) -> str:
    return actor_label(event, names) if event else _("Someone")


def merged_values(posted: Mapping[str, Any]) -> dict[str, Any]:
    """The chosen side of every field, as the edit form would have sent it."""
    values: dict[str, Any] = {
        key.removeprefix("kept."): value for key, value in posted.items() if key.startswith("kept.")
    }
    for name in LABELS:
        side = posted.get(f"take.{name}")
        if side in ("theirs", "yours"):
            values[name] = posted.get(f"{side}.{name}", "")
    tools_side = "yours" if posted.get("take.tools") == "yours" else "theirs"
    values.pop("tools", None)
    return values | {
        "tool_ids": posted.get(f"{tools_side}.tool_ids", []),
        "row_version": posted.get("row_version", ""),
        "note": "Merged with a save in between",
    }
