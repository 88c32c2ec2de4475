"""What every command needs: words on the terminal, settings, a database."""

import contextlib
import errno
from collections.abc import Iterator

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from app.core.config import Settings, get_settings, words_of
from app.core.embedded_postgres import EmbeddedPostgres
from app.core.reasons import reason_of
from app.exceptions import AppError, Unavailable

NO_CONNECTION = "There is no connection to the database: {reason}. python -m app doctor tells more."
DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT)
console = Console(stderr=True, highlight=False)


def fail(message: str) -> typer.Exit:
    console.print(f"[red]✗[/] {escape(message)}")
    return typer.Exit(1)


@contextlib.contextmanager
def failing_in_words() -> Iterator[None]:
    """An exit that says what is wrong, instead of a traceback, for what a user may know."""
    try:
        yield
    except AppError as error:
        if isinstance(error, Unavailable) and error.__cause__ is not None:
            raise fail(NO_CONNECTION.format(reason=reason_of(error.__cause__))) from None
        raise fail(error.message) from None
    except OSError as error:  # of a file or folder that a setting or an argument names
        if error.filename is None and error.errno not in DISK_IS_FULL:
            raise
        raise fail(f"{error.strerror}: {error.filename or 'see df -h'}") from None


def load_settings() -> Settings:
    """The settings, or an exit that names each problem without its value."""
    try:
        with failing_in_words():
            return get_settings()
    except ValidationError as error:
        raise fail(words_of(error)) from None


@contextlib.contextmanager
def with_database(settings: Settings) -> Iterator[Settings]:
    """Settings with a DATABASE_URL: the given one, or that of the embedded server.

    What goes wrong meanwhile is said in words.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(failing_in_words())
        if settings.database_url is not None:
            yield settings
            return
        with console.status("Starting the embedded PostgreSQL…"):
            embedded = stack.enter_context(EmbeddedPostgres.started(settings.data_dir))
        embedded.ensure_database()
        yield embedded.configured(settings)
