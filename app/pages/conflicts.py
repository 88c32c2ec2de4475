"""The conflict page: what both sides started from, what the other saved, what you typed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from app.core.texts import _, lazy
from app.models import Agent, AuditEvent, Tool
from app.pages.audit_view import actor_label
from app.pages.diffs import DiffRow, diff_lines
from app.pages.line_merges import CONFLICT, Part, merge_lines, merged_text
from app.services.agents import AgentService
from app.services.tools import ToolService

Values = dict[str, Any]  # of fields
AGENT_LABELS: Mapping[str, str] = {
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
TOOL_LABELS: Mapping[str, str] = {
    "name": lazy("Name"),
    "description": lazy("Description"),
    "kind": lazy("Kind"),
    "endpoint": lazy("Endpoint"),
    "parameters": lazy("Parameters"),
    "is_active": lazy("Active"),
}
LONG_FIELDS = frozenset({"system_prompt", "internal_notes", "config", "parameters", "description"})
NOTE = "Merged with a save in between"


@dataclass(frozen=True, slots=True)
class MergeField:
    """One field of the merge, each side as text.

    ``parts`` are its lines where both changed them, for those of both to be kept.
    """

    name: str
    label: str
    base: str
    theirs: str
    yours: str
    diff: list[DiffRow]
    parts: list[Part] = field(default_factory=list)

    @property
    def take(self) -> str:
        """What is chosen at first: your value where you changed it, the lines of both."""
        if self.parts:
            return "merged"
        return "yours" if self.yours != self.base else "theirs"

    @property
    def both_changed(self) -> bool:
        return self.yours != self.base and self.theirs not in (self.base, self.yours)

    @property
    def conflicts(self) -> int:
        return sum(part.kind == CONFLICT for part in self.parts)


def as_text(value: Any) -> str:  # a field's value
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        if value.keys() == {"url", "method"}:
            return f"{value['method']} {value['url']}"
        # Stored JSON comes back in an order of its own; in one order, only changes differ.
        return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
    if isinstance(value, list):
        return ", ".join(value)
    return "" if value is None else str(value)


def merge_fields(
    labels: Mapping[str, str], base: Values, theirs: Values, yours: Values
) -> list[MergeField]:
    """The fields that are not the same on all three sides."""
    found = []
    for name, label in labels.items():
        was, saved, typed = (as_text(side.get(name)) for side in (base, theirs, yours))
        if not was == saved == typed:
            found.append(merge_field(name, label, was, saved, typed))
    return found


def merge_field(name: str, label: str, base: str, theirs: str, yours: str) -> MergeField:
    has_lines = name in LONG_FIELDS and any("\n" in text for text in (base, theirs, yours))
    diff = diff_lines(theirs, yours) if has_lines else []
    found = MergeField(name, label, base, theirs, yours, diff)
    if not (has_lines and found.both_changed):
        return found
    parts = merge_lines(base, theirs, yours)
    return MergeField(name, label, base, theirs, yours, [] if parts else diff, parts)


async def agent_conflict(
    agents: AgentService, agent: Agent, version: int, data: BaseModel
) -> Values:
    """Everything the conflict page shows; saving it posts the choices and the newer version."""
    theirs: Values = {name: getattr(agent, name) for name in AGENT_LABELS if name != "tools"}
    theirs["tools"] = sorted(tool.name for tool in agent.tools)
    yours = typed_over(theirs, data)
    typed_tools = await ToolService(agents.session, agents.actor).by_ids(
        getattr(data, "tool_ids", [])
    )
    yours["tools"] = sorted(tool.name for tool in typed_tools)
    sides = {"theirs": agent.tools, "yours": typed_tools}
    return {
        **await conflict_of(agents, agent, version, theirs, yours),
        "section": ("/agents", "agents"),
        "draft": f"agent:{agent.id}",
        "tool_ids": {side: sorted(tool.id for tool in tools) for side, tools in sides.items()},
    }


async def tool_conflict(tools: ToolService, tool: Tool, version: int, data: BaseModel) -> Values:
    """As ``agent_conflict``; headers are secrets and not among the values."""
    theirs: Values = {name: getattr(tool, name) for name in TOOL_LABELS}
    return {
        **await conflict_of(tools, tool, version, theirs, typed_over(theirs, data)),
        "section": ("/tools", "tools"),
        "draft": f"tool:{tool.id}",
        "tool_ids": {},
    }


def typed_over(theirs: Values, data: BaseModel) -> Values:
    return theirs | {name: getattr(data, name) for name in theirs if hasattr(data, name)}


async def conflict_of(
    rows: AgentService | ToolService, row: Agent | Tool, version: int, theirs: Values, yours: Values
) -> Values:
    labels = AGENT_LABELS if isinstance(row, Agent) else TOOL_LABELS
    base = await rows.audit.values_at(row, version, theirs)
    event = await rows.audit.last_change(row)
    names = await rows.audit.actor_names([event]) if event else {}
    fields = merge_fields(labels, base, theirs, yours)
    return {
        "row": row,
        "fields": fields,
        "kept": {n: as_text(v) for n, v in theirs.items() if n not in {f.name for f in fields}},
        "who": who(event, names),
        "when": event.at if event else row.updated_at,
    }


def who(event: AuditEvent | None, names: Mapping[str, str]) -> str:
    return actor_label(event, names) if event else _("Someone")


def merged_agent(posted: Mapping[str, Any]) -> Values:
    """The chosen side of every field, as the edit form would have sent it."""
    values = merged_values(AGENT_LABELS, posted)
    tools_side = "yours" if posted.get("take.tools") == "yours" else "theirs"
    values.pop("tools", None)
    return values | {"tool_ids": posted.get(f"{tools_side}.tool_ids", []), "note": NOTE}


def merged_tool(posted: Mapping[str, Any]) -> Values:
    """As ``merged_agent``, with the endpoint in two fields."""
    values = merged_values(TOOL_LABELS, posted)
    method, _, url = str(values.pop("endpoint", "")).partition(" ")
    return values | {"endpoint_method": method, "endpoint_url": url}


def merged_values(labels: Mapping[str, str], posted: Mapping[str, Any]) -> Values:
    values: Values = {
        key.removeprefix("kept."): value for key, value in posted.items() if key.startswith("kept.")
    }
    for name in labels:
        side = posted.get(f"take.{name}")
        if side == "merged":
            values[name] = merged_lines(name, posted)
        elif side in ("theirs", "yours"):
            values[name] = posted.get(f"{side}.{name}", "")
    return values | {"row_version": posted.get("row_version", "")}


def merged_lines(name: str, posted: Mapping[str, Any]) -> str:
    """The lines of both; what both changed as it was chosen."""
    texts = [str(posted.get(f"{side}.{name}", "")) for side in ("base", "theirs", "yours")]
    parts = merge_lines(*texts)
    choices = {n: str(posted.get(f"part.{name}.{n}", "yours")) for n in range(len(parts))}
    return merged_text(parts, choices) if parts else texts[2]
