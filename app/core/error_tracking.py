"""Reports of unexpected errors to Sentry, or to whatever speaks its protocol.

Imported only where SENTRY_DSN is set. None of the SDK's integrations is on: they attach requests,
statements and local variables. What is logged with the traceback of an unexpected error is
reported, with the lines before it; every report is masked once more before it leaves.
"""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sentry_sdk
import structlog
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.types import Breadcrumb, Event, Hint

from app.core.config import Settings
from app.core.database_errors import as_app_error
from app.core.redaction import Redaction
from app.core.watchers import SeenJob, SeenRequest, Watcher

SENT_WITHIN_S = 2.0
MAX_LINES = 30
# What a report is found by. Of what else a line says, names and addresses of people stay here.
TAGS = ("request_id", "method", "job", "kind", "attempt", "chore", "trace_id")
PERSONAL = frozenset({"ip", "email", "actor", "link", "path"})
# Requests as the SDK would describe them, and who sent them.
LEFT_OUT = ("request", "user", "server_name", "modules")
INTERNAL = ("exc_info", "stack_info")


def line_of(record: logging.LogRecord) -> dict[str, Any]:
    """What a line says, whoever wrote it."""
    if isinstance(record.msg, dict):  # by structlog
        return {**structlog.contextvars.get_contextvars(), **record.msg}
    return {**structlog.contextvars.get_contextvars(), "event": record.getMessage()}


def error_of(record: logging.LogRecord) -> BaseException | None:
    """The error whose traceback the line shows."""
    given = record.msg.get("exc_info") if isinstance(record.msg, dict) else record.exc_info
    if given is True:
        given = sys.exc_info()
    if isinstance(given, tuple):
        given = given[1]
    return given if isinstance(given, BaseException) else None


def is_unexpected(error: BaseException) -> bool:
    """Neither ours, which say what is wrong, nor the database's that have an answer of ours."""
    return isinstance(error, Exception) and as_app_error(error) is None


class LinesAndErrors(logging.Handler):
    """Keeps the latest lines of a request or a job, and reports what went wrong in it."""

    def emit(self, record: logging.LogRecord) -> None:
        line, error = line_of(record), error_of(record)
        if error is not None and record.levelno >= logging.WARNING and is_unexpected(error):
            tags = {name: str(line[name]) for name in TAGS if name in line}
            sentry_sdk.capture_exception(
                error, tags=tags | {"logger": record.name}, extras={"line": line["event"]}
            )
            return
        sentry_sdk.add_breadcrumb(
            category=record.name,
            level=record.levelname.lower(),
            message=str(line.pop("event", "")),
            data={n: v for n, v in line.items() if n not in PERSONAL and n not in INTERNAL},
        )


class Masking:
    """What leaves is masked here, whatever put it in."""

    def __init__(self, redaction: Redaction) -> None:
        self._redaction = redaction

    def event(self, event: Event, _: Hint) -> Event:
        left: dict[str, Any] = {name: v for name, v in event.items() if name not in LEFT_OUT}
        for found in (left.get("exception") or {}).get("values", ()):
            for frame in (found.get("stacktrace") or {}).get("frames", ()):
                frame.pop("vars", None)
        masked: Any = self._redaction.mapping(left, depth=20)
        return masked  # type: ignore[no-any-return]  # the same shape

    def breadcrumb(self, crumb: Breadcrumb, _: Hint) -> Breadcrumb:
        return self._redaction.mapping(crumb)


class ErrorTracking(Watcher):
    """One for the process: the SDK has one client."""

    def __init__(self, settings: Settings) -> None:
        masking = Masking(Redaction.of(settings))
        sentry_sdk.init(
            dsn=settings.sentry_dsn.get_secret_value() if settings.sentry_dsn else None,
            environment=settings.sentry_environment or settings.environment.value,
            release=f"greenroom@{settings.version}",
            sample_rate=settings.sentry_sample_rate,
            traces_sample_rate=settings.sentry_traces_sample_rate,
            default_integrations=False,
            auto_enabling_integrations=False,
            integrations=[DedupeIntegration()],
            before_send=masking.event,
            before_send_transaction=masking.event,
            before_breadcrumb=masking.breadcrumb,
            # Nothing personal is the default; to say so explicitly is deprecated.
            include_local_variables=False,
            max_request_body_size="never",
            max_breadcrumbs=MAX_LINES,
            auto_session_tracking=False,
            trace_propagation_targets=[],
            in_app_include=["app"],
            shutdown_timeout=SENT_WITHIN_S,
        )
        self._handler = LinesAndErrors(logging.INFO)
        logging.getLogger().addHandler(self._handler)

    @contextmanager
    def request(self, seen: SeenRequest) -> Iterator[None]:
        if seen.method == "WS":  # it lasts for hours
            with sentry_sdk.isolation_scope():
                yield
            return
        with self._apart("http.server", seen.method, seen.headers) as transaction:
            try:
                yield
            finally:
                transaction.name = f"{seen.method} {seen.route}"
                transaction.set_tag("request_id", seen.request_id)
                if seen.status is not None:
                    transaction.set_http_status(seen.status)

    @contextmanager
    def job(self, seen: SeenJob) -> Iterator[None]:
        with self._apart("queue.process", seen.kind, {}) as transaction:
            try:
                yield
            finally:
                transaction.set_tag("job", str(seen.job_id))
                transaction.set_tag("outcome", seen.outcome)

    @contextmanager
    def _apart(self, kind: str, name: str, headers: Mapping[str, str]) -> Iterator[Any]:
        """With lines of its own, so that no report tells of others' requests."""
        with sentry_sdk.isolation_scope() as scope:
            scope.clear_breadcrumbs()
            transaction = sentry_sdk.continue_trace(dict(headers), op=kind, name=name)
            with sentry_sdk.start_transaction(transaction) as started:
                yield started

    def before_fork(self) -> None:
        """A copy never gets what a thread holds meanwhile: of a module it imports, the lock."""
        sentry_sdk.flush(timeout=SENT_WITHIN_S)

    def close(self) -> None:
        logging.getLogger().removeHandler(self._handler)
        sentry_sdk.get_client().close(timeout=SENT_WITHIN_S)
