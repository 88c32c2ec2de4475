"""Two snapshots side by side, line by line."""

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from app.core.templating import pretty_json
from app.models import AgentRevision

CONTEXT_LINES = 3
QUICK_LINES = 2_000


@dataclass(frozen=True, slots=True)
class DiffRow:
    """One line on each side, ``None`` where a side has none; or a ``gap`` of equal lines."""

    left_number: int | None
    left: str | None
    right_number: int | None
    right: str | None
    changed: bool
    gap: int = 0


@dataclass(frozen=True, slots=True)
class FieldDiff:
    """A short field, old and new."""

    name: str
    old: str
    new: str

    @property
    def changed(self) -> bool:
        return self.old != self.new


@dataclass(frozen=True, slots=True)
class ToolDiff:
    """A tool that one of the revisions lacks, or that they have in two forms."""

    name: str
    change: str  # added, removed or changed
    rows: list[DiffRow]


@dataclass(frozen=True, slots=True)
class SnapshotDiff:
    """All that two revisions differ in."""

    old: AgentRevision | None
    new: AgentRevision
    fields: list[FieldDiff]
    added_tools: list[str]
    removed_tools: list[str]
    changed_tools: list[str]
    prompt: list[DiffRow]
    config: list[DiffRow]
    tools: list[ToolDiff]

    @property
    def is_empty(self) -> bool:
        lists = (self.added_tools, self.removed_tools, self.changed_tools, self.prompt, self.config)
        return not any(lists) and not any(field.changed for field in self.fields)


def diff_lines(old: str, new: str) -> list[DiffRow]:
    """Side-by-side rows with a little context; nothing when the texts are equal."""
    if old == new:
        return []
    left, right = old.splitlines(), new.splitlines()
    rows: list[DiffRow] = []
    # Lines that are everywhere in very long texts would be compared with each other for minutes.
    is_long = len(left) * len(right) > QUICK_LINES**2
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, left, right, autojunk=is_long).get_opcodes():
        for k in range(max(i2 - i1, j2 - j1)):
            i, j = i1 + k, j1 + k
            rows.append(
                DiffRow(
                    i + 1 if i < i2 else None,
                    left[i] if i < i2 else None,
                    j + 1 if j < j2 else None,
                    right[j] if j < j2 else None,
                    tag != "equal",
                )
            )
    return fold(rows)


def fold(rows: list[DiffRow]) -> list[DiffRow]:
    """Equal lines far from any change become one row that says how many there are."""
    changed = [i for i, row in enumerate(rows) if row.changed]
    near = {i + d for i in changed for d in range(-CONTEXT_LINES, CONTEXT_LINES + 1)}
    folded: list[DiffRow] = []
    hidden = 0
    for i, row in enumerate([*rows, None]):
        if row is not None and i not in near:
            hidden += 1
            continue
        if hidden:
            folded.append(DiffRow(None, None, None, None, changed=False, gap=hidden))
            hidden = 0
        if row is not None:
            folded.append(row)
    return folded


def without_ids(tool: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in tool.items() if key != "id"}


def diff_snapshots(old: AgentRevision | None, new: AgentRevision) -> SnapshotDiff:
    before: dict[str, Any] = old.snapshot if old else {"config": {}, "tools": []}
    after = new.snapshot
    was = {tool["name"]: without_ids(tool) for tool in before["tools"]}
    now = {tool["name"]: without_ids(tool) for tool in after["tools"]}
    fields = [
        FieldDiff(name, str(before.get(name, "–")), str(after[name]))
        for name in ("model_name", "max_tokens")
    ]
    return SnapshotDiff(
        old=old,
        new=new,
        fields=fields,
        added_tools=sorted(now.keys() - was.keys()),
        removed_tools=sorted(was.keys() - now.keys()),
        changed_tools=sorted(n for n in now.keys() & was.keys() if now[n] != was[n]),
        prompt=diff_lines(before.get("system_prompt", ""), after["system_prompt"]),
        config=diff_lines(pretty_json(before["config"]), pretty_json(after["config"])),
        tools=tool_diffs(was, now) if old else [],
    )


def tool_diffs(was: dict[str, Any], now: dict[str, Any]) -> list[ToolDiff]:
    """Tools by name, as each revision offered them."""
    found = []
    for name in sorted(was.keys() | now.keys()):
        left, right = (pretty_json(side[name]) if name in side else "" for side in (was, now))
        if left != right:
            change = "changed" if left and right else "added" if right else "removed"
            found.append(ToolDiff(name, change, diff_lines(left, right)))
    return found
