"""Spans in OTLP's JSON: files as the OpenTelemetry Collector's file exporter writes them."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from app.importers.files import Faults, InputError, documents_in
from app.importers.spans import LEVELS, Part, span_count

OTHER_SIGNALS = {
    "resourceLogs": "log records",
    "resourceMetrics": "metrics",
    "resourceProfiles": "profiles",
}


def parts_of(path: Path, faults: Faults, notify: Callable[[str], None]) -> Iterator[Part]:
    """The requests of a file, one in memory at a time where each has a line of its own.

    Lines that hold none are told to ``faults``; those of other signals are counted, and told to
    ``notify``. Raise ``InputError`` for a file that cannot be read.
    """
    others: Counter[str] = Counter()
    for line, document in documents_in(path, faults):
        other = other_signal(document)
        problem = problem_of(document)
        if other is not None:
            others[other] += 1
        elif problem is not None:
            faults(InputError(f"{path}, line {line}: {problem}"))
        else:
            yield Part(path, [(line, document)])
    for what, count in others.items():
        notify(f"{path}: {count} lines of {what} left out. Greenroom keeps spans.")


def other_signal(document: Any) -> str | None:  # any JSON value
    """What else a Collector wrote there, when it is no trace."""
    known = document if isinstance(document, dict) else {}
    return next((what for name, what in OTHER_SIGNALS.items() if name in known), None)


def problem_of(document: Any) -> str | None:  # any JSON value
    """Why a value is no request with spans."""
    if not isinstance(document, dict):
        return "This is not an object with resourceSpans."
    if not any(name in document for name in LEVELS[0]):
        return "There are no resourceSpans in it."
    return None if span_count(document) else "There are no spans in it."
