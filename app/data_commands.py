"""Commands for what an installation holds: backups of all of it, and their way back."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr, ValidationError

from app.backups.drill import Restored, note_backup, restore_from
from app.backups.dumping import back_up, default_path
from app.backups.restoring import readable_manifest
from app.backups.secrets import SecretPlace, generated_secret, read_secret
from app.console import console, fail, failing_in_words, load_settings, with_database
from app.core.actor import Actor, Via
from app.core.config import Settings
from app.core.database import Database
from app.core.runtime_settings import LiveSettings
from app.core.wording import plural, size
from app.models import Job
from app.services.retention import RetentionPlan, RetentionService
from app.services.settings_keeper import SettingsKeeper

Jobs = Annotated[int, typer.Option(min=1, max=32, help="Tables at once.")]
MOST_JOBS = 4
DEFAULT_JOBS = min(MOST_JOBS, os.cpu_count() or 1)


def end_in_order() -> None:
    """SIGTERM as Ctrl-C: what is unfinished is removed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def backup(
    file: Annotated[Path | None, typer.Argument(help="Default: a dated one in DATA_DIR.")] = None,
    jobs: Jobs = DEFAULT_JOBS,
    secret: Annotated[
        bool, typer.Option(help="Put a secret that was generated here into it.")
    ] = True,
) -> None:
    """Write everything to one file, while everything runs."""
    settings = load_settings()
    end_in_order()
    with with_database(settings) as ready:
        with console.status("Copying…") as status:
            kept = generated_secret(settings) if secret else None
            path = file or default_path(settings)
            made = asyncio.run(back_up(ready, path, kept, jobs, status.update))
        asyncio.run(note_backup(ready, made.manifest))
    tables = len(made.manifest.tables)
    console.print(
        f"[green]✓[/] {made.path}: {plural(made.manifest.rows, 'row')} of {tables} tables, "
        f"{size(made.size_bytes)}"
    )
    if kept is None:
        console.print("[yellow]![/] SECRET_KEY is not in it: keep that elsewhere, and not beside.")
    else:
        console.print("[yellow]![/] The generated secret is in it: who has the file has it all.")


def restore(
    file: Annotated[Path, typer.Argument(help="What backup wrote.")],
    jobs: Jobs = DEFAULT_JOBS,
    replace: Annotated[
        bool, typer.Option("--replace", help="In place of a database that is not empty.")
    ] = False,
) -> None:
    """Bring a backup back, into an empty database; migrates one of an older version."""
    end_in_order()
    with failing_in_words():
        manifest = readable_manifest(file)
        secret = read_secret(file, manifest)
    try:
        secret_place = SecretPlace.before_loading()
    except ValidationError:
        load_settings()  # says which
        raise
    settings = load_settings()
    adopted = None if secret_place.is_configured else secret
    if adopted is not None:
        settings = settings.model_copy(update={"secret_key": adopted})
    with with_database(settings) as ready, console.status("Reading…") as status:
        done = asyncio.run(restore_from(ready, file, jobs, replace, status.update))
    put_secret(secret_place, adopted)
    report(done)


def put_secret(place: SecretPlace, secret: SecretStr | None) -> None:
    kept = place.put(secret) if secret is not None else None
    if kept is not None:
        console.print(f"[yellow]![/] The secret of before is kept as {kept}")


def retention(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would go. A worker does it each night.")
    ] = False,
) -> None:
    """What is older than it is kept for: say what would go, or have a worker remove it now."""

    async def work(settings: Settings) -> tuple[RetentionPlan, Job | None]:
        async with Database.opened(settings) as database:
            await SettingsKeeper(database, LiveSettings(settings)).read()
            async with database.unit_of_work() as session:
                service = RetentionService(session, Actor.system(Via.CLI), settings)
                plan = await service.plan()
                return plan, None if dry_run else await service.start(plan)

    with with_database(load_settings()) as ready:
        plan, job = asyncio.run(work(ready))
    for line in words_of(plan):
        console.print(f"  {line}")
    if job is not None:
        console.print(f"[green]✓[/] Job {job.id} is queued; a worker does it")


def words_of(plan: RetentionPlan) -> list[str]:
    lines = []
    for name, part in (("runs with all they hold", plan.runs), ("bodies of runs", plan.bodies)):
        if part.before is None:
            lines.append(f"{name}: none goes, or not by itself")
            continue
        lines.append(
            f"{name} from before {part.before:%Y-%m-%d}: "
            f"{'about ' if part.is_estimate else ''}{part.runs:,} go with "
            f"{plural(part.steps, 'step')}, about {size(part.size_bytes)}; {part.spared:,} "
            f"stay ({part.failed:,} failed, {part.annotated:,} with feedback, {part.open:,} open)"
        )
    return lines + [
        f"{each.words} of {each.days} days and more: "
        f"{'more than ' if each.is_more else ''}{each.rows:,}"
        for each in plan.others
    ]


def report(done: Restored) -> None:
    manifest = done.placed.manifest
    console.print(
        f"[green]✓[/] {plural(manifest.rows, 'row')} of {manifest.made_at:%Y-%m-%d %H:%M} UTC are "
        "back, and as they were in every table"
    )
    if done.placed.kept_as:
        console.print(
            f"  The database of before is called {done.placed.kept_as}. When you no longer need "
            "it: DROP DATABASE"
        )
    if not done.same_secret:
        console.print("[yellow]![/] SECRET_KEY is not the one of the backup. All log in again.")
    for lost in done.unreadable:
        console.print(
            f"[yellow]![/] {lost.count} of {lost.total} {lost.words} cannot be read: {lost.remedy}"
        )
    for warning in done.audit.warnings[:1]:
        console.print(f"[yellow]![/] Audit log: {warning}")
    for problem in done.audit.problems:
        console.print(f"[red]✗[/] Audit log: {problem}")
    if done.audit.problems:
        raise fail("The audit log is not as it was sealed, see above. The rows are back.")
    console.print(f"[green]✓[/] The audit log is whole: {done.audit.events:,} events")
