"""Commands for what is kept of one person, or of one agent."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from sqlalchemy import func, select

from app.backups.files import whole_or_not_at_all
from app.console import console, with_database
from app.console import load_settings as load
from app.core.actor import Actor, Via
from app.core.config import Settings
from app.core.database import Database
from app.exceptions import NotFound
from app.models import Agent, User
from app.schemas.exports import ExportFormat
from app.services.erasures import Erased, ErasureService
from app.services.exports import Export, ExportStream
from app.services.person_exports import all_of_agent, all_of_person

T = TypeVar("T")
SYSTEM = Actor.system(Via.CLI)
Target = Annotated[Path, typer.Argument(help="A new file for the JSON lines.")]
Work = Callable[[Database, Settings], Awaitable[T]]


def over_database(work: Work[T]) -> T:
    """Do it, or leave with words that say why not."""

    async def connected(settings: Settings) -> T:
        async with Database.opened(settings) as database:
            return await work(database, settings)

    with with_database(load()) as ready:
        return asyncio.run(connected(ready))


async def id_of(database: Database, email: str) -> int:
    """Raise ``NotFound`` when nobody has this e-mail, in the trash neither."""
    statement = select(User.id).where(func.lower(User.email) == email.lower())
    async with database.looking() as session:
        newest = statement.order_by(User.deleted_at.is_not(None), User.id.desc()).limit(1)
        user_id: int | None = await session.scalar(newest)
    if user_id is None:
        raise NotFound(f"Nobody has the e-mail {email}.")
    return user_id


def export_user(email: str, file: Target) -> None:
    """Write all that is kept of a person to a file, without secrets."""

    async def work(database: Database, _: Settings) -> None:
        await write(database, all_of_person(await id_of(database, email)), file)

    over_database(work)
    console.print(f"[green]✓[/] {file}")


def export_agent(agent_id: int, file: Target) -> None:
    """Write all that is kept of an agent to a file: revisions, runs, steps."""

    async def work(database: Database, _: Settings) -> None:
        async with database.looking() as session:
            if await session.scalar(select(Agent.id).where(Agent.id == agent_id)) is None:
                raise NotFound(f"There is no agent {agent_id}.")
        await write(database, all_of_agent(agent_id), file)

    over_database(work)
    console.print(f"[green]✓[/] {file}")


async def write(database: Database, export: Export, file: Path) -> None:
    """A file of the owner's alone, whole or not at all; on record."""
    stream = ExportStream(database, SYSTEM, export, ExportFormat.JSONL)
    with whole_or_not_at_all(file) as unfinished:
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        await stream.begin()
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as target:
                async for chunk in stream.chunks():
                    target.write(chunk)
        finally:
            await stream.end()


def erase_user(
    email: str,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Replace who a person was wherever it stands; asks for the e-mail once more."""

    async def plan(database: Database, settings: Settings) -> list[Erased]:
        user_id = await id_of(database, email)
        async with database.unit_of_work() as session:
            service = ErasureService(session, SYSTEM, settings)
            return await service.plan(await service.person(user_id))

    for each in over_database(plan):
        console.print(f"  {each.count:,} {each.words}: {each.fate.value}")
    if dry_run:
        return
    typed = typer.prompt("This cannot be undone. Type the e-mail again")

    async def erase(database: Database, settings: Settings) -> None:
        user_id = await id_of(database, email)
        async with database.unit_of_work() as session:
            service = ErasureService(session, SYSTEM, settings)
            await service.erase(await service.person(user_id), typed)

    over_database(erase)
    console.print("[green]✓[/] The person is erased. Backups made before still hold everything.")
