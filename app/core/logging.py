"""Structured logs: JSON in production, readable lines in development, never a secret.

Lines of libraries, which log by the standard library, come out like ours: with the time, the
logger's name, and whatever is bound to the request or the job that they belong to.
"""

import logging
import sys

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from app.core.config import Settings
from app.core.redaction import REDACTED, Redaction
from app.core.secret_names import is_secret

NOISY_LOGGERS = (
    "sqlalchemy.engine.Engine",
    "alembic",
    "app.core.database.WatchedPool",
    "asyncio",
    "multipart",
    "httpx2",
    "httpcore2",
    "opentelemetry",
    "pgqueuer",
    "urllib3",
)
# A link to choose a password is logged where no mail server is configured: someone must pass it on.
SHOWN = frozenset({"link"})


def redacting(redaction: Redaction) -> Processor:
    """Blank what is named like a credential, and mask what looks like one anywhere else."""

    def redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        for name, value in event.items():
            if is_secret(name):
                event[name] = REDACTED
            elif name not in SHOWN:
                event[name] = redaction.value(value)
        return event

    return redact


def renderer(settings: Settings) -> Processor:
    if settings.json_logs:
        return structlog.processors.JSONRenderer()
    # Plain tracebacks: those with local variables would print users' data.
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )


def level_of(settings: Settings) -> int:
    return logging.DEBUG if settings.debug else logging.INFO


def configure_logging(settings: Settings) -> None:
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        # Lines that nobody reads are dropped before anything is put together for them.
        wrapper_class=structlog.make_filtering_bound_logger(level_of(settings)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                # Tracebacks become texts first: errors repeat what they were given.
                structlog.processors.format_exc_info,
                redacting(Redaction.of(settings)),
                renderer(settings),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level_of(settings))
    quiet_others(settings)


def quiet_others(settings: Settings) -> None:
    """Libraries speak up for warnings only, but for SQL on demand."""
    # Our own middleware writes one line per request; uvicorn's would be a second.
    logging.getLogger("uvicorn.access").disabled = True
    for noisy in NOISY_LOGGERS:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    if settings.log_sql:
        logging.getLogger("sqlalchemy.engine.Engine").setLevel(logging.INFO)
