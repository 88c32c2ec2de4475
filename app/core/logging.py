"""Structured logs: JSON in production, readable lines in development, never a secret."""

import logging
import sys
from functools import lru_cache

import structlog
from structlog.typing import EventDict, WrappedLogger

from app.core.config import Settings

SECRET_WORDS = ("password", "secret", "token", "authorization", "cookie", "api_key", "x-api-key")
NOISY_LOGGERS = (
    "sqlalchemy.engine.Engine",
    "alembic",
    "asyncio",
    "multipart",
    "httpx2",
    "httpcore2",
    "pgqueuer",
)
REDACTED = "[redacted]"


@lru_cache(maxsize=1000)
def is_secret(name: str) -> bool:
    return any(word in name.lower() for word in SECRET_WORDS)


def redact_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Blank every value whose name says that it is a credential."""
    for key in event:
        if is_secret(key):
            event[key] = REDACTED
    return event


def configure_logging(settings: Settings) -> None:
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact_secrets,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.json_logs
        # Plain tracebacks: those with local variables would print users' data.
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    tail = [structlog.processors.format_exc_info] if settings.json_logs else []
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *tail,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.DEBUG if settings.debug else logging.INFO)
    quiet_others(settings)


def quiet_others(settings: Settings) -> None:
    """Libraries speak up for warnings only, but for SQL on demand."""
    # Our own middleware writes one line per request; uvicorn's would be a second.
    logging.getLogger("uvicorn.access").disabled = True
    for noisy in NOISY_LOGGERS:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    if settings.log_sql:
        logging.getLogger("sqlalchemy.engine.Engine").setLevel(logging.INFO)
