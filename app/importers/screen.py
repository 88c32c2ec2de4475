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
AgentName = Annotated[str, typer.Option("--agent", help="Name of the agent to report for.")]
Model = Annotated[str | None, typer.Option(help="Where the file names none.")]
BatchSize = Annotated[int, typer.Option(min=1, max=1000, help="Runs per request.")]
CreateAgent = Annotated[bool, typer.Option(help="Make the agent when missing.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Read and check everything, and send nothing.")
]
Files = Annotated[list[Path], typer.Argument(help="One or more; also compressed by gzip.")]
console = Console(stderr=True, highlight=False)


def say(text: str, sign: str = NOTE) -> None:
    """One line on stderr; what a terminal cannot write is replaced."""
    console.print(f"{sign} {escape(text.encode('utf-8', 'replace').decode())}", soft_wrap=True)


def progress_bar() -> Progress:
    columns = (TextColumn("Importing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console)


def conclude(summary: str, problems: Sequence[str], *, failed: bool = False) -> None:
    """The problems, as many as one can read, and the summary; exit 1 when there are any."""
    failed = failed or bool(problems)
    for line in problems[:SHOWN_REFUSALS]:
        say(line, BAD)
    if len(problems) > SHOWN_REFUSALS:
        say(f"and {len(problems) - SHOWN_REFUSALS} more.", BAD)
    say(summary, BAD if failed else GOOD)
    if failed:
        raise typer.Exit(1)


@contextmanager
def ending_in_words(problems: Sequence[str] = ()) -> Iterator[None]:
    """Exit 1 with a message, below the problems so far, for whatever ends an import early."""
    try:
        yield
    except (InputError, ApiError) as error:
        conclude(str(error), problems, failed=True)
