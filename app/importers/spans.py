"""Spans and events on their way to the server: requests joined and cut to size, and the outcome.

A request is an ExportTraceServiceRequest or ExportLogsServiceRequest in OTLP's JSON
(opentelemetry-proto, trace_service.proto and logs_service.proto). The server stores spans by their
ids and events by what they say, so that sending them again changes nothing.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from app.importers.client import PERHAPS_ONE_ITEM, ApiError, Greenroom, Json

# Servers take more, but a request this small is soon answered and cheap to repeat.
MAX_REQUEST_BYTES = 4 * 1024 * 1024
# Lines with fewer spans go together: a request for each would run into the rate limit.
MIN_SPANS = 500
TOO_LARGE = 413
Levels = tuple[tuple[str, ...], ...]
Given = list[tuple[int, Json]]  # requests, each with its line


@dataclass(frozen=True, slots=True)
class Signal:
    """What requests are made of. ``refused`` is where an answer counts those that are not stored.

    ``levels`` are the lists from the outside in, each by the names that plain protobuf JSON has for
    it as well.
    """

    title: str
    path: str
    levels: Levels
    refused: str


SPANS = Signal(
    "Spans",
    "/v1/traces",
    (("resourceSpans", "resource_spans"), ("scopeSpans", "scope_spans"), ("spans",)),
    "rejectedSpans",
)
EVENTS = Signal(
    "GenAI events",
    "/v1/logs",
    (("resourceLogs", "resource_logs"), ("scopeLogs", "scope_logs"), ("logRecords",)),
    "rejectedLogRecords",
)


def list_in(parent: Any, names: tuple[str, ...]) -> tuple[str, list[Any]] | None:  # JSON values
    """The first of these names that holds a list, and the list."""
    if not isinstance(parent, dict):
        return None
    found = ((name, parent[name]) for name in names if isinstance(parent.get(name), list))
    return next(found, None)


def item_count(parent: Any, levels: Levels = SPANS.levels) -> int:  # a JSON value
    """What has not the shape of a request holds no spans and no events."""
    found = list_in(parent, levels[0])
    if found is None:
        return 0
    return sum(item_count(item, levels[1:]) for item in found[1]) if levels[1:] else len(found[1])


def halves(parent: Any, levels: Levels = SPANS.levels) -> list[Json]:  # a JSON value
    """The same in two requests, cut as far outside as can be; none for a single span or event."""
    found = list_in(parent, levels[0]) if levels else None
    if found is None or not found[1]:
        return []
    name, items = found
    middle = len(items) // 2
    if middle:
        return [parent | {name: part} for part in (items[:middle], items[middle:])]
    return [parent | {name: [half]} for half in halves(items[0], levels[1:])]


@dataclass(frozen=True, slots=True)
class Part:
    """What is sent at once: requests of one file."""

    path: Path
    given: Given
    signal: Signal = SPANS

    @property
    def where(self) -> str:
        first, last = self.given[0][0], self.given[-1][0]
        return f"{self.path}, {f'line {first}' if first == last else f'lines {first} to {last}'}"

    @property
    def count(self) -> int:
        """Of spans or events."""
        return sum(item_count(request, self.signal.levels) for _, request in self.given)

    def body(self) -> bytes:
        """One request."""
        names = self.signal.levels[0]
        found = [list_in(request, names) for _, request in self.given]
        entries = [entry for known in found if known for entry in known[1]]
        return json.dumps({names[0]: entries}, separators=(",", ":")).encode()

    def halves(self) -> list["Part"]:
        """None for a single span or event."""
        middle = len(self.given) // 2
        if middle:
            return [
                replace(self, given=half) for half in (self.given[:middle], self.given[middle:])
            ]
        line, request = self.given[0]
        return [replace(self, given=[(line, half)]) for half in halves(request, self.signal.levels)]


def joined(parts: Iterable[Part]) -> Iterator[Part]:
    """The same requests of a file, the small ones together, spans and events apart."""
    held: dict[Signal, Part] = {}
    counts: Counter[Signal] = Counter()
    for part in parts:
        signal = part.signal
        before = held.get(signal)
        held[signal] = part if before is None else replace(part, given=before.given + part.given)
        counts[signal] += part.count
        if counts[signal] >= MIN_SPANS:
            del counts[signal]
            yield held.pop(signal)
    yield from held.values()


@dataclass(slots=True)
class SpanTally:
    """What became of what was sent; ``told`` holds a line for each refusal."""

    stored: Counter[Signal] = field(default_factory=Counter)
    refused: Counter[Signal] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        signals = [SPANS, *({EVENTS} & {*self.stored, *self.refused})]
        return "; ".join(
            f"{each.title}: {self.stored[each]} stored, {self.refused[each]} refused"
            for each in signals
        )

    def refuse(self, part: Part, refused: int, why: str) -> None:
        self.refused[part.signal] += refused
        self.told.append(f"{part.where}: {refused} of {part.count} refused. {why}".rstrip())


class Exporter:
    """Sends parts to one server and notes in ``tally`` what became of them."""

    def __init__(self, api: Greenroom, tally: SpanTally, notify: Callable[[str], None]) -> None:
        self.tally = tally
        self._api, self._notify = api, notify
        self._max_bytes = MAX_REQUEST_BYTES

    def send(self, part: Part) -> None:
        """In pieces where it is large, or where the server refuses it as a whole.

        Raise ``ApiError`` when the server cannot be used.
        """
        body = part.body()
        pieces = part.halves() if len(body) > self._max_bytes else []
        if not pieces:
            pieces = self._try(part, body)
        for piece in pieces:
            self.send(piece)

    def _try(self, part: Part, body: bytes) -> list[Part]:
        """What is to be sent instead, where it was refused as a whole."""
        try:
            self._note(part, self._api.export(part.signal.path, body))
        except ApiError as error:
            if error.status not in PERHAPS_ONE_ITEM:
                raise
            pieces = part.halves()
            if error.status == TOO_LARGE:
                # The halves still go whole; what comes is cut before it is refused again.
                self._max_bytes = min(self._max_bytes, len(body) * 3 // 4)
            if not pieces:
                self.tally.refuse(part, part.count, str(error))
            return pieces
        return []

    def _note(self, part: Part, answer: Json) -> None:
        """Raise ``ApiError`` for an answer that is none of the protocol's."""
        partial = answer.get("partialSuccess") or {}
        try:
            refused, why = int(partial.get(part.signal.refused, 0)), partial.get("errorMessage", "")
        except (AttributeError, TypeError, ValueError) as error:
            raise ApiError("The server's answer does not say how many it refused.") from error
        self.tally.stored[part.signal] += part.count - refused
        if refused:
            self.tally.refuse(part, refused, why)
        elif why:
            self._notify(f"{part.where}: {why}")
