"""What a span says, in our words, whatever dialect it was written in."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from app.models.spans import SpanKind


@dataclass(slots=True)
class UsageFacts:
    """Tokens and cost of a step; ``None`` is unknown, 0 is a value.

    ``input`` is the total, those read from and written to a cache included; ``output`` includes
    reasoning. ``cost`` is USD, as the sender reports it. ``counted_apart`` says that the sender
    counted cached tokens beside the input; ``input`` holds the sum then.
    """

    input: int | None = None
    output: int | None = None
    cached: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    cost: Decimal | None = None
    counted_apart: bool = False


@dataclass(slots=True)
class AgentFacts:
    """Which agent a step belongs to, as far as it says so.

    ``greenroom_id`` is the id or name of an agent of ours, as the resource attributes of a pulled
    configuration say; ``version`` is the number of its revision then.
    """

    greenroom_id: str | None = None
    id: str | None = None
    name: str | None = None
    version: str | None = None
    description: str | None = None
    service_name: str | None = None

    def as_list(self) -> list[str | None]:
        """The fields in order, for JSON."""
        return [
            self.greenroom_id,
            self.id,
            self.name,
            self.version,
            self.description,
            self.service_name,
        ]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A score that came with a step; ``of_run`` where it is about the run as a whole."""

    name: str
    score: float | None = None
    label: str | None = None
    explanation: str | None = None
    of_run: bool = False


class Spoken(Protocol):
    """What a step was given and what it gave, read each time it is asked for.

    JSON values: a list of chat messages (``role``, ``content``, ``tool_calls`` as OpenAI writes
    them) where the step is a conversation with a model, else the value that was sent.
    """

    @property
    def input(self) -> Any: ...

    @property
    def output(self) -> Any: ...


@dataclass(slots=True)
class SpanFacts:
    """One step, read. ``attributes`` are the raw ones, without secrets."""

    kind: SpanKind
    attributes: dict[str, Any]
    spoken: Spoken
    usage: UsageFacts = field(default_factory=UsageFacts)
    agent: AgentFacts = field(default_factory=AgentFacts)
    model_name: str | None = None
    provider: str | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None
    error: str | None = None
    error_type: str | None = None
    session_id: str | None = None
    end_user: str | None = None
    environment: str | None = None
    release: str | None = None
    tags: list[str] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    failed: bool = False  # by its status, or because it says so in other words

    @property
    def input(self) -> Any:  # any JSON value
        return self.spoken.input

    @property
    def output(self) -> Any:  # any JSON value
        return self.spoken.output
