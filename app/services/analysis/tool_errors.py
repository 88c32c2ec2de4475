"""What became of tool errors: put right, taken up, or passed over.

A tool's error counts as put right when the same tool works later in the run, and as taken up when
what the agent says or asks of tools next has one of the words below. These are English; in other
languages an error that was taken up may count as passed over.
"""

import re
from collections.abc import Iterator

from app.core.wording import plural
from app.schemas.analyses import Finding, FindingKind, Severity
from app.services.analysis.counting import Keyed, Sighting, Sightings, sighting
from app.services.analysis.findings import finding
from app.services.analysis.loops import canonical
from app.services.analysis.runs import Call, Run
from app.services.analysis.words import brief, share
from app.services.conversation import text_of
from app.services.conversation import told as is_told

WORDS = (
    r"\w*n['’]t|not|no|none|never|cannot|unable|fail\w*|error\w*|invalid|incorrect|wrong|"
    r"mis(?:match|sing|take)\w*|discrepanc\w*|insufficient|unavailable|exceed\w*|declin\w*|"
    r"unfortunately|sorry|apolog\w*|issue\w*|problem\w*|trouble|difficult\w*|however|instead|"
    r"although|retry|try(?:ing)? again|unsuccessful\w*|reject\w*|denied|refus\w*|limit\w*"
)
SPEAKS_OF_IT = re.compile(rf"\b(?:{WORDS})\b", re.IGNORECASE)


class OfTool:
    """The errors of one tool that nothing put right, one of a run: the last."""

    def __init__(self) -> None:
        self.ignored = Sightings()
        self.succeeded = 0
        self.taken_up = Sightings()

    def merge(self, other: "OfTool") -> None:
        self.ignored.merge(other.ignored)
        self.succeeded += other.succeeded
        self.taken_up.merge(other.taken_up)


class ToolErrors:
    def __init__(self) -> None:
        self.ended = 0
        self.tools: Keyed[str, OfTool] = Keyed(OfTool)

    def add(self, run: Run) -> None:
        if not run.has_ended:
            return
        self.ended += 1
        for call in not_put_right(run.calls):
            self._add_error(run, call, self.tools[call.name])

    def _add_error(self, run: Run, call: Call, tool: OfTool) -> None:
        after = what_follows(run, call)
        if SPEAKS_OF_IT.search(after):
            if run.has_succeeded:
                tool.taken_up.note([told(run, call)])
        elif after or run.has_succeeded:
            # A run that failed right there has passed over nothing.
            tool.ignored.note([told(run, call)])
            tool.succeeded += run.has_succeeded

    def merge(self, other: "ToolErrors") -> None:
        self.ended += other.ended
        self.tools.merge(other.tools)

    def findings(self) -> Iterator[Finding]:
        for name, tool in self.tools.items():
            if tool.ignored.runs:
                yield self._ignored(name, tool)
            if tool.taken_up.runs:
                yield finding(
                    FindingKind.UNRESOLVED_TOOL_ERRORS,
                    Severity.LOW,
                    f"{plural(tool.taken_up.runs, 'run')} ended as succeeded though {name} had "
                    f"failed and never worked afterwards; the agent took it up.",
                    tool.taken_up,
                    subject=name,
                    detail="Worth a look: was the task really done?",
                )

    def _ignored(self, name: str, tool: OfTool) -> Finding:
        runs, good = tool.ignored.runs, tool.succeeded
        ends = f"{good:,} of them ended as succeeded" if good else "none of them succeeded"
        if runs == 1:
            ends = "it ended as succeeded" if good else "it did not succeed"
        return finding(
            FindingKind.IGNORED_TOOL_ERRORS,
            Severity.HIGH if good else Severity.MEDIUM,
            f"{name} failed and the agent went on as if nothing had happened in "
            f"{share(runs, self.ended, 'run')}; {ends}.",
            tool.ignored,
            subject=name,
            detail="The tool never worked afterwards, and what the agent said and asked for next "
            "has no word of the error.",
        )


def not_put_right(calls: list[Call]) -> list[Call]:
    """The last call of each tool whose last call failed."""
    last = {call.name: call for call in calls}
    return [call for call in last.values() if call.failed]


def what_follows(run: Run, call: Call) -> str:
    """What the agent asks of tools and says after the call, up to the first thing it says."""
    parts: list[str] = []
    for turn in run.turns[call.turn + 1 :]:
        parts += [canonical(later.arguments) for later in turn.calls]
        if turn.role == "assistant" and turn.text:
            return " ".join([*parts, turn.text])
    if run.output is not None and not is_told(run.output, "assistant", run.turns):
        parts.append(text_of(run.output))
    return " ".join(parts)


def told(run: Run, call: Call) -> Sighting:
    """Runs that ended as succeeded first."""
    note = brief(call.result)
    rank = 0 if run.has_succeeded else 1
    return sighting(run.id, call.span_id, note, rank=rank, place=call.turn)
