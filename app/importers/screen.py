"""What the importers share of the command line: their options, and what they say (on stderr)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.importers.client import ApiError
from app.importers.files import InputError

SHOWN_REFUSALS = 20
GOOD, BAD, NOTE = "[green]✓[/]", "[red]✗[/]", "[yellow]•[/]"

Url = Annotated[str, typer.Option(help="Address of Greenroom.", envvar="GREENROOM_URL")]
ApiKey = Annotated[
    str,
    typer.Option(
        help="Better given in the environment: a shell keeps what is typed.",
        envvar="GREENROOM_API_KEY",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Read and check everything, and send nothing.")
]
Files = Annotated[list[Path], typer.Argument(help="One or more; also compressed by gzip.")]
console = Console(stderr=True, highlight=False)


def say(text: str, sign: str = NOTE) -> None:
    """One line on stderr; what a terminal cannot write is replaced."""
    console.print(f"{sign} {escape(text.encode('utf-8', 'replace').decode())}", soft_wrap=True)


@contextmanager
def ending_in_words() -> Iterator[None]:
    """Exit 1 with a message for whatever ends an import early."""
    try:
        yield
    except (InputError, ApiError) as error:
        say(str(error), BAD)
        raise typer.Exit(1) from None


def progress_bar() -> Progress:
    columns = (TextColumn("Importing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console)


def conclude(summary: str, problems: Sequence[str]) -> None:
    """The problems, as many as one can read, and the summary; exit 1 when there are any."""
    for line in problems[:SHOWN_REFUSALS]:
        say(line, BAD)
    if len(problems) > SHOWN_REFUSALS:
        say(f"and {len(problems) - SHOWN_REFUSALS} more.", BAD)
    say(summary, BAD if problems else GOOD)
    if problems:
        raise typer.Exit(1)
