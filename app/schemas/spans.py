"""Steps of a run as they are reported and read."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from app.models.executions import CostSource
from app.models.spans import SpanKind, SpanStatus
from app.schemas.agents import ModelName
from app.schemas.base import (
    MAX_BIGINT,
    Amount,
    Count,
    Input,
    Json,
    JsonDict,
    Left,
    Moment,
    Output,
    ShortText,
    Text,
    storable_text,
)

HexTraceId = Annotated[
    str,
    StringConstraints(to_lower=True, pattern=r"^[0-9a-fA-F]{32}$"),
    Field(examples=["4bf92f3577b34da6a3ce929d0e0e4736"]),
]
HexSpanId = Annotated[
    str,
    StringConstraints(to_lower=True, pattern=r"^[0-9a-fA-F]{16}$"),
    Field(examples=["00f067aa0ba902b7"]),
]
PROVIDER_ATTRIBUTES = ("gen_ai.provider.name", "gen_ai.system")
MAX_PROVIDER_NAME = 100
ProviderName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_PROVIDER_NAME),
    AfterValidator(storable_text),
]
Nanoseconds = Annotated[int, Field(ge=0, le=MAX_BIGINT)]
NS_PER_S = 1_000_000_000
HexText = Annotated[
    str, BeforeValidator(lambda value: value.hex() if isinstance(value, bytes) else value)
]


def nanoseconds(moment: datetime) -> int:
    """Exact to the microsecond that a datetime holds."""
    delta = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * NS_PER_S + delta.microseconds * 1000


class SpanCreate(Input):
    """One step. Give times as `started_at`/`ended_at`, or exactly as `start_ns`/`end_ns`."""

    span_id: HexSpanId | None = None
    parent_span_id: HexSpanId | None = None
    kind: SpanKind = SpanKind.OTHER
    name: Annotated[Text, StringConstraints(min_length=1, max_length=300)]
    status: SpanStatus = SpanStatus.UNSET
    started_at: Moment | None = None
    ended_at: Moment | None = None
    start_ns: Nanoseconds | None = None
    end_ns: Nanoseconds | None = None
    model_name: ModelName | None = Field(None, alias="model")
    provider_name: ProviderName | None = Field(
        None,
        alias="provider",
        description="Whose prices apply, such as openai; else gen_ai.provider.name says.",
    )
    tool_name: ShortText | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cached_tokens: Count | None = None
    """Input tokens that were read from a cache."""
    cache_write_tokens: Count | None = None
    """Input tokens that were written to a cache."""
    reasoning_tokens: Count | None = None
    cost: Annotated[Decimal | None, Field(ge=0, max_digits=18, decimal_places=9)] = None
    input: Json | None = None
    output: Json | None = None
    attributes: JsonDict | None = None
    events: Annotated[list[JsonDict] | None, Field(max_length=1000)] = None

    @model_validator(mode="after")
    def _times(self) -> Self:
        if self.start_ns is None and self.started_at is not None:
            self.start_ns = nanoseconds(self.started_at)
        if self.end_ns is None and self.ended_at is not None:
            self.end_ns = nanoseconds(self.ended_at)
        if self.start_ns is not None and self.end_ns is not None and self.end_ns < self.start_ns:
            raise ValueError("the end must not be before the start")
        return self

    @property
    def said_provider(self) -> str | None:
        """Whose model it was: by the field, else by OpenTelemetry's attribute, new or old."""
        said = self.attributes or {}
        for name in (self.provider_name, *(said.get(key) for key in PROVIDER_ATTRIBUTES)):
            if isinstance(name, str) and name.strip():
                return name.strip()[:MAX_PROVIDER_NAME]
        return None


class PricedSpan(SpanCreate):
    """A step whose cost, if it has one, follows from a price and was not reported."""


class SpanRead(Output):
    """What is not known of a step is left out."""

    span_id: HexText
    parent_span_id: Left[HexText] = None
    kind: SpanKind
    name: str
    status: SpanStatus
    start_ns: int
    end_ns: Left[int] = None
    model_name: Annotated[Left[str], Field(alias="model")] = None
    provider_name: Annotated[Left[str], Field(alias="provider")] = None
    tool_name: Left[str] = None
    input_tokens: Left[int] = None
    output_tokens: Left[int] = None
    cached_tokens: Left[int] = None
    cache_write_tokens: Left[int] = None
    reasoning_tokens: Left[int] = None
    cost: Left[Amount] = None
    cost_source: CostSource
    input: Left[Any] = None
    output: Left[Any] = None
    attributes: Left[dict[str, Any]] = None
    events: Left[list[Any]] = None
