"""Who follows requests and attempts at jobs for as long as they last: error reports, traces."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine


@dataclass(slots=True)
class SeenRequest:
    """A request, or the life of a WebSocket (``WS``). What only its end tells is there then.

    ``takes_spans``: a span of it could come back as one more to take in, where two installations
    send theirs to each other.
    """

    method: str
    headers: Mapping[str, str]
    takes_spans: bool = False
    route: str = ""
    status: int | None = None
    request_id: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)  # for lines of the log that belong to it


@dataclass(slots=True)
class SeenJob:
    """One attempt; ``traceparent`` is the W3C trace context of what caused the job."""

    kind: str
    job_id: int
    number: int
    traceparent: str | None = None
    outcome: str = ""


class Watcher:
    """Follows nothing, until it is told how."""

    def request(self, seen: SeenRequest) -> AbstractContextManager[object]:
        return nullcontext()

    def job(self, seen: SeenJob) -> AbstractContextManager[object]:
        return nullcontext()

    def statements_of(self, engine: Engine) -> None:
        """Follow the statements of this engine, too."""

    def before_fork(self) -> None:
        """Have no thread at work when the process is copied. Blocks, within a bound."""

    def close(self) -> None:
        """Send what waits, within a bound. Blocks."""


@contextmanager
def all_following_job(watchers: Sequence[Watcher], seen: SeenJob) -> Iterator[None]:
    with ExitStack() as following:
        for watcher in watchers:
            following.enter_context(watcher.job(seen))
        yield


class Trail:
    """The trace that what happens now belongs to: here, none."""

    @property
    def traceparent(self) -> str | None:
        """As W3C Trace Context writes it, for who goes on with the trace."""
        return None

    def call(self, method: str, host: str) -> AbstractContextManager[Mapping[str, str]]:
        """While another server is asked for something: headers that tell it of the trace."""
        return nullcontext(NO_HEADERS)


NO_HEADERS: Mapping[str, str] = {}
TRAIL: ContextVar[Trail] = ContextVar("trail", default=Trail())  # noqa: B039  (it has no state)
