"""Who follows requests and attempts at jobs for as long as they last: error reports, traces."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any


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

    def close(self) -> None:
        """Send what waits, within a bound. Blocks."""


@contextmanager
def all_following_job(watchers: Sequence[Watcher], seen: SeenJob) -> Iterator[None]:
    with ExitStack() as following:
        for watcher in watchers:
            following.enter_context(watcher.job(seen))
        yield
