"""Runs and their steps as the analysis sees them, and the rows that they are made of."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from app.models.executions import OPEN_STATUSES, ExecutionStatus
from app.models.spans import SpanKind, SpanStatus
from app.services.conversation import ToolCall, Turn, conversation_of
from app.services.ingestion.stored_words import words_of

# Marks of a result that is an error, where no status says so.
ERROR_TEXT = re.compile(r"\s*(error|exception|traceback)\b", re.IGNORECASE)
MAX_INPUT_CHARACTERS = 2**31 - 1
ERROR_KEYS = ("error", "isError", "is_error")


class RunRow(NamedTuple):
    """A run, as the database gives it; JSON as its text."""

    id: int
    revision_id: int | None
    status: str
    error: str | None
    latency_ms: int | None
    cost: Decimal | None
    input_tokens: int | None
    output_tokens: int | None
    output: str | None
    has_made_up_times: bool
    started_at_us: int


class StepRow(NamedTuple):
    """A step, as the database gives it; JSON as its text.

    ``raw`` is ``[attributes, events]`` of a step that is stored as OpenTelemetry sent it: input
    and output are read from there, an input only up to so many characters of JSON.
    """

    execution_id: int
    span_id: bytes
    parent_span_id: bytes | None
    kind: str
    name: str
    status: str
    start_ns: int
    end_ns: int | None
    model_name: str | None
    tool_name: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost: Decimal | None
    input: str | None
    output: str | None
    attributes: str | None
    is_whole: bool
    raw: str | None = None
    most_input: int = MAX_INPUT_CHARACTERS


class RevisionRow(NamedTuple):
    """The number of a revision, and as JSON text its ``tools`` and ``max_tokens``."""

    number: int
    snapshot: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some runs with all that belongs to them; steps by run and start."""

    runs: Sequence[RunRow]
    steps: Sequence[StepRow]
    revisions: dict[int, RevisionRow]


@dataclass(frozen=True, slots=True)
class Revision:
    """What ran: the tools offered (JSON Schemas by lower-case name) and the limit of an answer."""

    number: int
    schemas: dict[str, Any]
    max_tokens: int | None
    # Ids of the tools by the same names; older revisions may not know them.
    tool_ids: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One span. ``input_characters`` are those of its JSON."""

    span_id: bytes
    parent_span_id: bytes | None
    kind: SpanKind
    name: str
    status: SpanStatus
    start_ns: int
    end_ns: int | None
    model_name: str | None = None
    tool_name: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost: Decimal | None = None
    input: Any = None  # JSON
    output: Any = None  # JSON
    attributes: dict[str, Any] | None = None
    input_characters: int | None = None
    is_whole: bool = True

    @property
    def hex_id(self) -> str:
        return self.span_id.hex()

    @property
    def duration_ns(self) -> int | None:
        return None if self.end_ns is None else max(0, self.end_ns - self.start_ns)

    @property
    def label(self) -> str:
        """What steps of the same sort share: the tool, the model, or the name."""
        return self.tool_name or self.model_name or self.name


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call: ``turn`` is its place in the conversation."""

    name: str
    arguments: Any  # JSON, or text that is none
    result: Any  # JSON or text
    failed: bool
    span_id: str | None
    turn: int


@dataclass(frozen=True)
class Run:
    """One execution. ``latency_ms`` is ``None`` where the times are made up."""

    id: int
    status: ExecutionStatus
    revision: Revision | None = None
    error: str | None = None
    latency_ms: int | None = None
    cost: Decimal | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    output: Any = None  # JSON
    steps: tuple[Step, ...] = field(default=())
    has_made_up_times: bool = False
    started_at_us: int = 0

    @cached_property
    def turns(self) -> list[Turn]:
        """As the page of the run tells the conversation."""
        return conversation_of(self.steps)

    @cached_property
    def calls(self) -> list[Call]:
        return [seen(call, place) for place, turn in enumerate(self.turns) for call in turn.calls]

    @property
    def model_steps(self) -> list[Step]:
        return [step for step in self.steps if step.kind is SpanKind.LLM]

    @property
    def has_ended(self) -> bool:
        return self.status not in OPEN_STATUSES

    @property
    def has_succeeded(self) -> bool:
        return self.status is ExecutionStatus.SUCCEEDED

    @property
    def is_whole(self) -> bool:
        return all(step.is_whole for step in self.steps)


def seen(call: ToolCall, turn: int) -> Call:
    name = call.name.strip().lower()
    failed = call.failed or looks_failed(call.result)
    return Call(name, call.arguments, call.result, failed, call.span_id, turn)


def looks_failed(result: Any) -> bool:  # JSON or text
    """Text that begins with "Error", or an object that says so, as MCP's do."""
    if isinstance(result, str):
        return ERROR_TEXT.match(result) is not None
    return isinstance(result, dict) and any(result.get(key) for key in ERROR_KEYS)


def runs_of(chunk: Chunk) -> list[Run]:
    steps: dict[int, list[Step]] = {}
    for row in chunk.steps:
        steps.setdefault(row.execution_id, []).append(step_of(row))
    return [run_of(row, tuple(steps.get(row.id, ())), chunk.revisions) for row in chunk.runs]


def run_of(row: RunRow, steps: tuple[Step, ...], revisions: dict[int, RevisionRow]) -> Run:
    revision = None if row.revision_id is None else revisions.get(row.revision_id)
    return Run(
        id=row.id,
        status=ExecutionStatus(row.status),
        revision=None if revision is None else revision_of(revision),
        error=row.error,
        latency_ms=None if row.has_made_up_times else row.latency_ms,
        cost=row.cost,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        output=loaded(row.output),
        steps=steps,
        has_made_up_times=row.has_made_up_times,
        started_at_us=row.started_at_us,
    )


def said_in(row: StepRow) -> tuple[Any, Any, int | None]:
    """Input and output (any JSON values), and how many characters of JSON the input is."""
    if row.raw is None:
        size = None if row.input is None else len(row.input)
        return loaded(row.input), loaded(row.output), size
    spoken = words_of(SpanKind(row.kind), *json.loads(row.raw))
    given = spoken.input if row.most_input else None
    size = None if given is None else len(json.dumps(given, ensure_ascii=False))
    if size is not None and size > row.most_input:
        given = size = None
    return given, spoken.output, size


def step_of(row: StepRow) -> Step:
    attributes = loaded(row.attributes)
    given, said, size = said_in(row)
    return Step(
        span_id=row.span_id,
        parent_span_id=row.parent_span_id,
        kind=SpanKind(row.kind),
        name=row.name,
        status=SpanStatus(row.status),
        start_ns=row.start_ns,
        end_ns=row.end_ns,
        model_name=row.model_name,
        tool_name=row.tool_name,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cost=row.cost,
        input=given,
        output=said,
        attributes=attributes if isinstance(attributes, dict) else None,
        input_characters=size,
        is_whole=row.is_whole,
    )


def loaded(text: str | None) -> Any:  # any JSON value
    return None if text is None else json.loads(text)


@lru_cache(maxsize=256)
def revision_of(row: RevisionRow) -> Revision:
    """Most runs of a chunk share a revision or two."""
    snapshot = json.loads(row.snapshot)
    tools = {str(t["name"]).strip().lower(): t for t in snapshot.get("tools") or []}
    return Revision(
        row.number,
        {name: tool.get("parameters") for name, tool in tools.items()},
        snapshot.get("max_tokens"),
        {name: tool["id"] for name, tool in tools.items() if tool.get("id") is not None},
    )
