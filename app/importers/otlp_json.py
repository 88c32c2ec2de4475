"""Spans and events in OTLP's JSON: files as the Collector's file exporter writes them."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from app.importers.files import Faults, InputError, documents_in
from app.importers.spans import EVENTS, SPANS, Levels, Part, item_count, list_in

OTHER_SIGNALS = {"resourceMetrics": "metrics", "resourceProfiles": "profiles"}
NAMESPACE = "gen_ai."
Json = dict[str, Any]


def parts_of(path: Path, faults: Faults, notify: Callable[[str], None]) -> Iterator[Part]:
    """The requests of a file, one in memory at a time where each has a line of its own.

    Lines that hold none are told to ``faults``; what else a Collector wrote there is counted, and
    told to ``notify``. Raise ``InputError`` for a file that cannot be read.
    """
    others: Counter[str] = Counter()
    for line, document in documents_in(path, faults):
        other = other_signal(document)
        problem = problem_of(document)
        if is_of_logs(document):
            events, left = with_events_only(document)
            others["log records"] += left
            if item_count(events, EVENTS.levels):
                yield Part(path, [(line, events)], EVENTS)
        elif other is not None:
            others[f"lines of {other}"] += 1
        elif problem is not None:
            faults(InputError(f"{path}, line {line}: {problem}"))
        else:
            yield Part(path, [(line, document)])
    for what, count in others.items():
        if count:
            notify(f"{path}: {what} left out ({count}). Greenroom keeps spans and GenAI events.")


def is_of_logs(document: Any) -> bool:  # any JSON value
    return isinstance(document, dict) and any(name in document for name in EVENTS.levels[0])


def with_events_only(parent: Json, levels: Levels = EVENTS.levels) -> tuple[Json, int]:
    """The same request with the GenAI events in it, and how many other records it had."""
    found = list_in(parent, levels[0])
    if found is None:
        return parent, 0
    name, items = found
    if not levels[1:]:
        events = [record for record in items if is_event(record)]
        return parent | {name: events}, len(items) - len(events)
    below = [with_events_only(item, levels[1:]) for item in items]
    return parent | {name: [item for item, _ in below]}, sum(left for _, left in below)


def is_event(record: Any) -> bool:  # any JSON value
    """Of the GenAI conventions, by the name of the event or, as before 1.36, by an attribute."""
    if not isinstance(record, dict):
        return False
    found = list_in(record, ("attributes",))
    attributes = found[1] if found else []
    named = [a for a in attributes if isinstance(a, dict) and a.get("key") == "event.name"]
    values = [a["value"].get("stringValue") for a in named if isinstance(a.get("value"), dict)]
    return any(str(name).startswith(NAMESPACE) for name in (record.get("eventName"), *values))


def other_signal(document: Any) -> str | None:  # any JSON value
    """What else a Collector wrote there, when it is no trace."""
    known = document if isinstance(document, dict) else {}
    return next((what for name, what in OTHER_SIGNALS.items() if name in known), None)


def problem_of(document: Any) -> str | None:  # any JSON value
    """Why a value is no request with spans."""
    if not isinstance(document, dict):
        return "This is not an object with resourceSpans."
    if not any(name in document for name in SPANS.levels[0]):
        return "There are no resourceSpans in it."
    return None if item_count(document) else "There are no spans in it."
