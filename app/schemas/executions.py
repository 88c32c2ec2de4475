"""Runs of agents as they are reported, listed and read."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from app.models.executions import CostSource, ExecutionSource, ExecutionStatus
from app.schemas.agents import Action, ModelName
from app.schemas.base import (
    Amount,
    Count,
    CursorQuery,
    Flag,
    Ids,
    Input,
    Json,
    JsonDict,
    Left,
    Moment,
    Name,
    Output,
    Patch,
    RowId,
    ShortText,
    Tag,
    Tags,
    Text,
    blank_to_none,
    refuse_pages_of_ids,
    words_to_list,
)
from app.schemas.bulk import Each, ItemError
from app.schemas.feedback import FeedbackCreate, FeedbackRead
from app.schemas.spans import HexTraceId, SpanCreate, SpanRead

MAX_SPANS = 5000
MAX_BATCH = 1000
CLOCK_SKEW = timedelta(days=1)


def not_in_the_future(moment: datetime) -> datetime:
    if moment > datetime.now(UTC) + CLOCK_SKEW:
        raise ValueError("must not be more than a day in the future")
    return moment


PastMoment = Annotated[Moment, AfterValidator(not_in_the_future)]
ErrorText = Annotated[Text, Field(max_length=100_000)] | None
Usd = Annotated[Decimal, Field(ge=0, lt=Decimal("1e9"), max_digits=18, decimal_places=9)]
Spans = Annotated[list[SpanCreate], Field(max_length=MAX_SPANS)]


class UsageInput(Input):
    """Unknown stays unsent; 0 is a value. Input tokens are the total, cached ones included."""

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    reasoning_tokens: Count | None = None
    cost: Usd | None = Field(None, description="USD, when the sender knows it.")


class ExecutionCreate(UsageInput):
    """One run with its spans. Name the agent by `agent` or by `agent_id`."""

    agent: Name | None = None
    agent_id: RowId | None = None
    external_id: ShortText | None = Field(
        None, description="Your id of the run: sending it twice stores one run."
    )
    trace_id: HexTraceId | None = None
    session_id: ShortText | None = Field(None, description="The conversation this run is part of.")
    revision: RowId | None = Field(
        None, description="The revision that ran; default: the live one."
    )
    status: ExecutionStatus = ExecutionStatus.SUCCEEDED
    source: Literal[ExecutionSource.API, ExecutionSource.IMPORT] = ExecutionSource.API
    model_name: ModelName | None = Field(None, alias="model")
    started_at: PastMoment | None = None
    ended_at: PastMoment | None = None
    input: Json | None = None
    output: Json | None = None
    error: ErrorText = None
    error_type: ShortText | None = None
    metadata: JsonDict | None = None
    tags: Tags = Field(default_factory=list)
    spans: Spans = Field(default_factory=list)
    feedback: Annotated[list[FeedbackCreate], Field(max_length=50)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.agent is None) == (self.agent_id is None):
            raise ValueError("name the agent by one of agent and agent_id")
        if self.started_at and self.ended_at and self.ended_at < self.started_at:
            raise ValueError("ended_at must not be before started_at")
        return self


class ExecutionUpdate(Patch):
    """What may be added to a run later; spans replace those with the same id."""

    status: ExecutionStatus = ExecutionStatus.SUCCEEDED
    ended_at: PastMoment = Field(default_factory=lambda: datetime.now(UTC))
    output: Json | None = None
    error: ErrorText = None
    error_type: ShortText | None = None
    model_name: ModelName | None = Field(None, alias="model")
    tags: Tags = Field(default_factory=list)
    metadata: JsonDict | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    reasoning_tokens: Count | None = None
    cost: Usd | None = None
    spans: Spans = Field(default_factory=list)


class ExecutionBatch(Input):
    """Each item is answered on its own."""

    items: Annotated[list[Each[ExecutionCreate]], Field(min_length=1, max_length=MAX_BATCH)]


class BatchItem(Output):
    """What became of the item at `index`: 201 stored, 200 known already, 4xx refused."""

    index: int
    status: int
    id: Left[int] = None
    trace_id: Left[str] = None
    external_id: Left[str] = None
    action: Left[Action] = None
    error: Left[ItemError] = None


class BatchAnswer(Output):
    created: int
    known: int
    refused: int
    items: list[BatchItem]


class ExecutionFilters(Input):
    """What a list of runs can be narrowed by; each is indexed."""

    q: Annotated[ShortText | None, BeforeValidator(blank_to_none)] = Field(
        None, description="Words in input, output or error; or an external or trace id."
    )
    agent_id: Annotated[list[RowId], BeforeValidator(words_to_list), Field(max_length=50)] = Field(
        default_factory=list
    )
    """Runs of these agents."""
    status: Annotated[list[ExecutionStatus], BeforeValidator(words_to_list)] = Field(
        default_factory=list, max_length=10
    )
    """Runs in one of these states."""
    model_name: Annotated[
        ShortText | None, BeforeValidator(blank_to_none), Field(alias="model")
    ] = None
    """Runs of this model."""
    source: Annotated[ExecutionSource | None, BeforeValidator(blank_to_none)] = None
    """How they came in."""
    session_id: Annotated[ShortText | None, BeforeValidator(blank_to_none)] = None
    """Runs of this conversation."""
    external_id: Annotated[ShortText | None, BeforeValidator(blank_to_none)] = None
    """The run that you sent under this id."""
    tag: Annotated[Tag | None, BeforeValidator(blank_to_none)] = None
    """Runs with this tag."""
    agent: Annotated[ShortText | None, BeforeValidator(blank_to_none)] = None
    """Runs of the agents of this name."""
    revision: Annotated[RowId | None, BeforeValidator(blank_to_none)] = None
    """Runs of the revision of this number, best with `agent_id`."""
    min_cost: Annotated[Usd | None, BeforeValidator(blank_to_none)] = None
    """Runs that cost so much or more, in USD."""
    min_latency_ms: Annotated[Count | None, BeforeValidator(blank_to_none)] = None
    """Runs that took so long or longer, in milliseconds."""
    has_errors: Annotated[Flag | None, BeforeValidator(blank_to_none)] = None
    """Runs with steps that failed, or without any."""
    has_feedback: Annotated[Flag | None, BeforeValidator(blank_to_none)] = None
    """Runs that somebody or something said something of, or the others."""
    since: Annotated[Moment | None, BeforeValidator(blank_to_none)] = None
    """Started at this moment or later."""
    until: Annotated[Moment | None, BeforeValidator(blank_to_none)] = None
    """Started before this moment."""


class ExecutionQuery(ExecutionFilters, CursorQuery):
    """Newest first."""

    ids: Ids = Field(default_factory=list)

    @model_validator(mode="after")
    def _all_at_once(self) -> Self:
        refuse_pages_of_ids(self, "cursor", "limit")
        return self


class ExecutionRead(Output):
    """The narrow row of a run, as lists show it."""

    id: int
    agent_id: int
    trace_id: Annotated[
        str, BeforeValidator(lambda value: value.hex() if isinstance(value, bytes) else value)
    ]
    external_id: str | None
    session_id: str | None
    status: ExecutionStatus
    source: ExecutionSource
    model_name: str | None = Field(alias="model")
    preview: str | None
    started_at: datetime
    ended_at: datetime | None
    latency_ms: int | None
    span_count: int
    error_count: int
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    cost: Amount | None
    cost_source: CostSource
    tags: list[str]
    error_type: str | None
    row_version: int


class ExecutionReported(ExecutionRead):
    """The answer to a report, which also says whether the agent is to go on."""

    action: Action


class ExecutionAcknowledged(Output):
    """The answer to a report of a key that does not read runs."""

    id: int
    trace_id: str
    row_version: int
    action: Action


class ExecutionDetail(ExecutionRead):
    """A run with what it was given and gave."""

    revision: int | None
    input: Any
    output: Any
    error: str | None
    metadata: dict[str, Any] | None
    feedback: list[FeedbackRead]


class TraceRead(Output):
    """The spans of a run by start time."""

    execution: ExecutionRead
    spans: list[SpanRead]
    truncated: bool
