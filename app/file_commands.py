"""``python -m app export agents`` and ``import agents``: files of lists, on the command line."""

import asyncio
import sys
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.markup import escape
from sqlalchemy import func, select

from app.console import console, fail, load_settings, with_database
from app.core.actor import Actor, Via
from app.core.config import Settings
from app.core.database import Database
from app.core.wording import plural
from app.exceptions import NotFound
from app.models import Import, User
from app.schemas.agents import AgentQuery
from app.schemas.exports import ExportFormat
from app.schemas.imports import Mode, RowState
from app.schemas.tools import ToolQuery
from app.services import export_sources
from app.services.exports import Export, ExportStream
from app.services.import_runs import ImportRunner
from app.services.imports import ImportService, rows_at, states_of
from app.services.staff_sessions import actor_of

SHOWN_REFUSALS = 20


class Listed(StrEnum):
    """What leaves by the command line and comes back by it."""

    AGENTS = "agents"
    TOOLS = "tools"


def export_of(resource: Listed) -> Export:
    actor = Actor.system(Via.CLI)
    if resource is Listed.AGENTS:
        return export_sources.agents(actor, AgentQuery())
    return export_sources.tools(actor, ToolQuery())


async def write_rows(
    settings: Settings, resource: Listed, form: ExportFormat, into: TextIO
) -> None:
    async with Database.opened(settings) as database:
        stream = ExportStream(database, Actor.system(Via.CLI), export_of(resource), form)
        await stream.begin()
        try:
            async for chunk in stream.chunks():
                into.write(chunk)
        finally:
            await stream.end()


def export_rows(
    resource: Annotated[Listed, typer.Argument(help="Which list.")],
    file: Annotated[Path | None, typer.Argument(help="Default: the terminal.")] = None,
    form: Annotated[
        ExportFormat | None, typer.Option("--format", help="Default: by the file's name, or jsonl.")
    ] = None,
) -> None:
    """Write all agents or tools as JSON lines or CSV; the export is on record."""
    is_csv = file is not None and file.suffix.lower() == ".csv"
    chosen = form or (ExportFormat.CSV if is_csv else ExportFormat.JSONL)
    with with_database(load_settings()) as ready:
        if file is None:
            asyncio.run(write_rows(ready, resource, chosen, sys.stdout))
            return
        try:
            with file.open("w", encoding="utf-8", newline="") as into:
                asyncio.run(write_rows(ready, resource, chosen, into))
        except OSError as error:
            raise fail(f"{file} cannot be written: {error.strerror}.") from None
    console.print(f"[green]✓[/] All {resource.value} are in {file}")


async def owner_named(database: Database, email: str) -> Actor:
    """Who is to own what is new. Raise ``NotFound``."""
    wanted = func.lower(User.email) == email.strip().lower()
    async with database.looking() as session:
        user = await session.scalar(
            select(User).where(wanted, User.is_active, User.deleted_at.is_(None))
        )
    if user is None:
        raise NotFound(f"There is no active user with the e-mail {email}.")
    return actor_of(user, Via.CLI, None, None)


async def read_in(
    settings: Settings, resource: Listed, file: tuple[str, bytes], email: str, mode: Mode | None
) -> Import:
    """Preview the file and, with a ``mode``, write what it says: as the page does."""
    async with Database.opened(settings) as database:
        actor = await owner_named(database, email)
        async with database.unit_of_work() as session:
            imports = ImportService(session, actor, settings)
            row = await imports.preview(resource.value, *file)
        if mode is not None:
            await write(database, imports, row.id, mode)
        async with database.looking() as session:
            return await imports.over(session).get(row.id)


async def write(database: Database, imports: ImportService, import_id: int, mode: Mode) -> None:
    """As the job does that the page asks for, but at once: there may be no worker."""
    async with database.unit_of_work() as session:
        runner = ImportRunner(await imports.over(session).begin(import_id, mode))
    done = 1
    while done:
        async with database.unit_of_work() as session:
            done = await runner.go_on(imports.over(session))


def tell(row: Import) -> None:
    """What is to become of the rows, and why not of some."""
    counts = Counter(states_of(row))
    counted = ", ".join(f"{counts[state]:,} {state.value}" for state in RowState)
    console.print(f"{escape(row.file_name)}: {counted}")
    refused = [place for place, state in enumerate(states_of(row)) if state is RowState.REFUSED]
    for planned in rows_at(row, refused[:SHOWN_REFUSALS]):
        why = "; ".join(f"{each.field} {each.message}".strip() for each in planned.errors)
        console.print(f"[yellow]![/] line {planned.line}, {escape(planned.name)}: {escape(why)}")
    if len(refused) > SHOWN_REFUSALS:
        console.print(f"[yellow]![/] and {plural(len(refused) - SHOWN_REFUSALS, 'more row')}")


FileToRead = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, help="CSV, JSON or JSON lines.")
]
Owner = Annotated[str, typer.Option("--as", help="E-mail of who is to own what is new.")]
Apply = Annotated[bool, typer.Option("--apply", help="Write what the preview says.")]
OnlyNew = Annotated[bool, typer.Option("--only-new", help="Change nothing that is there.")]


def import_agents(
    file: FileToRead, email: Owner, apply: Apply = False, only_new: OnlyNew = False
) -> None:
    """Bring agents in from a file; without --apply it says what would happen."""
    import_rows(Listed.AGENTS, file, email, chosen(apply, only_new))


def import_tools(
    file: FileToRead, email: Owner, apply: Apply = False, only_new: OnlyNew = False
) -> None:
    """Bring tools in from a file; without --apply it says what would happen."""
    import_rows(Listed.TOOLS, file, email, chosen(apply, only_new))


def chosen(apply: bool, only_new: bool) -> Mode | None:
    """What is to be written; ``None`` for nothing."""
    if not apply:
        return None
    return Mode.CREATE if only_new else Mode.UPDATE


def import_rows(resource: Listed, file: Path, email: str, mode: Mode | None) -> None:
    with with_database(load_settings()) as ready:
        given = (file.name, file.read_bytes())
        row = asyncio.run(read_in(ready, resource, given, email, mode))
    tell(row)
    if mode is None:
        console.print(f"Nothing is written yet: see /imports/{row.id}, or add --apply.")
        return
    refused = [problem for problem in row.results.values() if problem is not None]
    console.print(f"[green]✓[/] {plural(len(row.results) - len(refused), 'row')} written")
    for problem in refused:
        console.print(f"[red]✗[/] {escape(problem)}")
    if refused:
        raise typer.Exit(1)
