"""What a test's block writes to the log, as whoever reads the log finds it."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from app.core.config import Settings
from app.core.logging import configure_logging

OPEN: list[logging.Handler] = []


class Written:
    """The lines of a log, as texts and as what they say."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Of a log in JSON."""
        return [json.loads(line) for line in self.text.splitlines()]

    def said(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]


@contextmanager
def logging_to(settings: Settings, *, is_json: bool = True) -> Iterator[Written]:
    """Log as the settings say, to memory, and as before afterwards. Can be used within itself."""
    root, written = logging.getLogger(), Written()
    handlers, level, before = root.handlers, root.level, structlog.get_config()
    configure_logging(settings.model_copy(update={"log_json": is_json}))
    [handler] = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(written.stream)
    # What reports errors is no stream.
    kept = [
        each for each in handlers if each in OPEN or not isinstance(each, logging.StreamHandler)
    ]
    root.handlers = [handler, *kept]
    OPEN.append(handler)
    try:
        yield written
    finally:
        OPEN.remove(handler)
        root.handlers = handlers
        root.setLevel(level)
        structlog.configure(**before)
