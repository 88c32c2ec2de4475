"""Tools: offered and called, failing, called wrongly, or never called at all."""

import re
from collections.abc import Iterator, Mapping

from app.core.wording import plural
from app.schemas.analyses import Finding, FindingKind, Severity, ToolUse
from app.services.analysis.arguments import Fault, NotCheckable, fault_in, unknown_names
from app.services.analysis.counting import Keyed, Number, Sightings, sighting
from app.services.analysis.findings import finding, severity_of
from app.services.analysis.runs import Call, Run
from app.services.analysis.words import ENOUGH, brief, cut, named, share

# A tool that fails less often, or so rarely in all, is no finding by itself.
FAILING, MIN_FAILURES = 0.1, 3
MAX_TOOLS, MAX_TEXTS, SPOKEN_TEXTS, NAME_LENGTH = 100, 200, 3, 100
# Errors that differ in their numbers alone are told as one.
DIGITS = re.compile(r"\d+")


def few_sightings() -> Sightings:
    return Sightings(3)


class OneTool:
    def __init__(self) -> None:
        self.calls = self.runs = self.checked = 0
        self.offered = Sightings(3)
        self.failed = Sightings()
        self.broken = Sightings()
        self.unknown = Sightings()
        self.faults: Keyed[str, Sightings] = Keyed(few_sightings, MAX_TEXTS)
        # Names of arguments: all that were sent, and those that the schema does not know.
        self.sent: Keyed[str, Number] = Keyed(Number, MAX_TEXTS)
        self.strangers: Keyed[str, Sightings] = Keyed(few_sightings, MAX_TEXTS)
        self.errors: Keyed[str, Number] = Keyed(Number, MAX_TEXTS)

    def merge(self, other: "OneTool") -> None:
        self.calls += other.calls
        self.runs += other.runs
        self.checked += other.checked
        self.offered.merge(other.offered)
        self.failed.merge(other.failed)
        self.broken.merge(other.broken)
        self.unknown.merge(other.unknown)
        self.faults.merge(other.faults)
        self.sent.merge(other.sent)
        self.strangers.merge(other.strangers)
        self.errors.merge(other.errors)


class Tools:
    def __init__(self) -> None:
        self.tools: Keyed[str, OneTool] = Keyed(OneTool)

    def add(self, run: Run) -> None:
        calls: dict[str, list[Call]] = {}
        for call in run.calls:
            calls.setdefault(call.name, []).append(call)
        for name in run.revision.schemas if run.revision else ():
            self.tools[name].offered.note([sighting(run.id)])
        for name, of_tool in calls.items():
            self._add_calls(run, self.tools[name], of_tool)

    def _add_calls(self, run: Run, tool: OneTool, calls: list[Call]) -> None:
        tool.runs += 1
        tool.calls += len(calls)
        failed = [call for call in calls if call.failed]
        tool.failed.note(sighting(run.id, c.span_id, brief(c.result), place=c.turn) for c in failed)
        for call in failed:
            tool.errors[DIGITS.sub("#", brief(call.result))].count += 1
        if run.revision is None or not run.revision.schemas:
            # Agents whose tools are not registered at all call nothing that is unknown.
            return
        if calls[0].name not in run.revision.schemas:
            tool.unknown.note(sighting(run.id, c.span_id, place=c.turn) for c in calls)
            return
        self._check(run, tool, calls, run.revision.schemas[calls[0].name])

    def _check(self, run: Run, tool: OneTool, calls: list[Call], schema: object) -> None:
        broken: list[tuple[Call, Fault]] = []
        for call in calls:
            if call.arguments is None:
                continue
            try:
                fault = fault_in(call.arguments, schema)
            except NotCheckable:
                return
            tool.checked += 1
            if fault is not None:
                broken.append((call, fault))
            self._note_names(run, tool, call, schema)
        tool.broken.note(
            sighting(run.id, call.span_id, fault.message, place=call.turn) for call, fault in broken
        )
        for call, fault in broken:
            seen = sighting(run.id, call.span_id, fault.message, place=call.turn)
            tool.faults[fault.what].note([seen])

    def _note_names(self, run: Run, tool: OneTool, call: Call, schema: object) -> None:
        if not isinstance(call.arguments, dict):
            return
        for name in call.arguments:
            tool.sent[cut(name, NAME_LENGTH)].count += 1
        for name in unknown_names(call.arguments, schema):
            note = cut(f"{name}: {brief(call.arguments[name])}")
            seen = sighting(run.id, call.span_id, note, place=call.turn)
            tool.strangers[cut(name, NAME_LENGTH)].note([seen])

    def merge(self, other: "Tools") -> None:
        self.tools.merge(other.tools)

    def rows(self) -> list[ToolUse]:
        """The most called first."""
        found = [
            ToolUse(
                name=name,
                calls=tool.calls,
                failed=tool.failed.total,
                runs=tool.runs,
                offered=tool.offered.runs,
                broken=tool.broken.total,
                checked=tool.checked,
            )
            for name, tool in self.tools.items()
        ]
        return sorted(found, key=lambda row: (-row.calls, row.name))[:MAX_TOOLS]

    def findings(self) -> Iterator[Finding]:
        for name, tool in self.tools.items():
            if tool.failed.total >= MIN_FAILURES and tool.failed.total >= FAILING * tool.calls:
                yield failing(name, tool)
            if tool.broken.total:
                yield broken(name, tool)
            if tool.unknown.total:
                yield unknown(name, tool)
        yield from self._unused()

    def _unused(self) -> Iterator[Finding]:
        """One finding for all of them; a tool that few runs were offered may yet be needed."""
        idle = [
            (name, tool)
            for name, tool in self.tools.items()
            if not tool.calls and tool.offered.runs >= ENOUGH
        ]
        if not idle:
            return
        seen = max((tool.offered for _, tool in idle), key=lambda offered: offered.runs)
        names = [name for name, _ in idle]
        yield finding(
            FindingKind.UNUSED_TOOLS,
            Severity.LOW,
            f"{named(names)} {'was' if len(names) == 1 else 'were'} offered in "
            f"{plural(seen.runs, 'run')} and never called.",
            seen,
            subject=", ".join(names)[:200],
            detail="Each tool that is offered costs input tokens in every model call.",
        )


def failing(name: str, tool: OneTool) -> Finding:
    return finding(
        FindingKind.FAILING_TOOL,
        severity_of(tool.failed.total, tool.calls),
        f"{name} failed in {share(tool.failed.total, tool.calls, 'call')}, "
        f"in {plural(tool.failed.runs, 'run')}.",
        tool.failed,
        subject=name,
        detail=most_frequent({text: number.count for text, number in tool.errors.items()}),
    )


def broken(name: str, tool: OneTool) -> Finding:
    return finding(
        FindingKind.BROKEN_ARGUMENTS,
        severity_of(tool.broken.total, tool.checked),
        f"{name} was called with arguments that break its schema in "
        f"{share(tool.broken.total, tool.checked, 'call')}.",
        tool.broken,
        subject=name,
        detail=most_frequent({text: seen.total for text, seen in tool.faults.items()}),
    )


def most_frequent(texts: Mapping[str, int]) -> str:
    """The first few with their counts."""
    found = sorted(texts.items(), key=lambda item: (-item[1], item[0]))
    told = "; ".join(f"{text} ({count:,})" for text, count in found[:SPOKEN_TEXTS])
    return f"{told}; and {len(found) - SPOKEN_TEXTS} more" if len(found) > SPOKEN_TEXTS else told


def unknown(name: str, tool: OneTool) -> Finding:
    return finding(
        FindingKind.UNKNOWN_TOOL,
        Severity.MEDIUM,
        f"{name} was called {plural(tool.unknown.total, 'time')} in "
        f"{plural(tool.unknown.runs, 'run')} whose revision does not offer it.",
        tool.unknown,
        subject=name,
        detail="The model made it up, or the runtime has tools that are not registered here.",
    )
