"""The command line: start the product, migrate, make a superuser, import runs."""

import asyncio
import errno
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr, ValidationError

from app.bootstrap import create_superuser, ensure_first_superuser, one_time_password
from app.console import console, fail, failing_in_words, load_settings, with_database
from app.core.actor import Actor, Via
from app.core.config import Settings
from app.core.configuration import PAGE, configuration_page
from app.core.database import Database
from app.core.database_watch import DatabaseWatch
from app.core.logging import configure_logging
from app.core.migrations import is_at_head, migrate_as_owner
from app.core.runtime_settings import LiveSettings
from app.core.templating import Templates
from app.data_commands import backup, restore, retention
from app.demo.command import make_demo, refuse_in_production, remove_demo
from app.doctor.command import doctor
from app.exceptions import AppError
from app.file_commands import export_rows, import_agents, import_tools
from app.importers.command import importers
from app.jobs import HANDLED, SCHEDULES
from app.jobs.context import Resources
from app.jobs.worker import Worker
from app.main import create_app
from app.observing import Observers
from app.person_commands import erase_user, export_agent, export_user
from app.services.audit_events import AuditEventService
from app.services.audit_seals import AuditSealService, Verification, note_verification
from app.services.live_events import EventSender
from app.services.settings_keeper import SettingsKeeper
from app.serving.server import WebServer, web_config

cli = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Greenroom: the back office for LLM agents."
)
cli.add_typer(importers, name="import")
importers.command(name="agents")(import_agents)
importers.command(name="tools")(import_tools)
cli.command(name="export")(export_rows)
cli.command()(backup)
cli.command()(restore)
cli.command()(doctor)
cli.command()(retention)
for command in (export_user, export_agent, erase_user):
    cli.command()(command)
MANY_FILES = 65_536
Port = Annotated[int | None, typer.Option(help="Port to listen on; default: PORT or 8000.")]


def listen(host: str, port: int) -> socket.socket:
    """A bound socket, or an exit that says why there is none."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            why = f"Nobody can listen at {host}:{port} here ({error.strerror}). See HOST and PORT."
            raise fail(why) from None
        raise fail(
            f"Port {port} is in use: Greenroom (or something else) already runs at "
            f"http://{host}:{port}. Stop it, or choose another port with --port."
        ) from None
    return listener


def allow_many_files() -> None:
    """Sockets are files: as many as the system lets this process have, instead of the usual few."""
    current, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY_FILES if most == resource.RLIM_INFINITY else min(most, MANY_FILES)
    if current < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def serve_app(settings: Settings, listener: socket.socket, *, embed_worker: bool = False) -> None:
    """Serve until Ctrl-C or SIGTERM; both end the process in order."""
    config = web_config(create_app(settings, embed_worker=embed_worker), settings)
    allow_many_files()
    # uvicorn raises the signal again once it is down; leave then, so that PostgreSQL is stopped.
    for caught in (signal.SIGTERM, signal.SIGINT):
        signal.signal(caught, lambda *_: sys.exit(0))
    WebServer(config).run(sockets=[listener])


async def prepare(settings: Settings) -> str | None:
    """Migrate, and make the first superuser: the password to show, if one was made."""
    await migrate_as_owner(settings)
    async with Database.opened(settings) as database:
        return await ensure_first_superuser(database, settings.first_superuser_email)


def greet(settings: Settings, url: str, password: str | None) -> None:
    console.print(f"[green]✓[/] Greenroom is at [bold]{url}[/] (Ctrl-C stops it)")
    if password is not None:
        console.print(
            f"\n  Log in as  [bold]{settings.first_superuser_email}[/]\n"
            f"  Password   [bold]{password}[/]\n"
            "  This is shown once. Change it under Account after you have logged in.\n"
        )


@cli.command()
def run(port: Port = None) -> None:
    """Start everything: database, migrations, first superuser, web and worker."""
    settings = load_settings()
    listener = listen(settings.host, settings.port if port is None else port)
    with with_database(settings) as ready:
        console.print("[green]✓[/] PostgreSQL is running")
        with console.status("Migrating…"):
            password = asyncio.run(prepare(ready))
        console.print("[green]✓[/] The database is up to date")
        host, bound = listener.getsockname()[:2]
        greet(ready, f"http://{host}:{bound}", password)
        serve_app(ready, listener, embed_worker=True)


@cli.command()
def serve(port: Port = None) -> None:
    """Serve the web part only; the database must be migrated."""
    settings = load_settings()
    listener = listen(settings.host, settings.port if port is None else port)
    with with_database(settings) as ready:
        require_head(ready)
        serve_app(ready, listener)


@cli.command()
def worker() -> None:
    """Do the background work alone, beside any number of web servers and other workers."""
    with with_database(load_settings()) as ready:
        require_head(ready)
        configure_logging(ready)
        console.print("[green]✓[/] The worker is running (Ctrl-C stops it)")
        asyncio.run(work_until_stopped(ready))


async def work_until_stopped(settings: Settings) -> None:
    database = Database.from_settings(settings)
    observers = Observers(settings)
    observers.watch_worker(database)
    observers.start()
    sender = EventSender(database)
    database.outbox = sender.send
    sender.start()
    watch = DatabaseWatch(database)
    watch.start()
    keeper = SettingsKeeper(database, LiveSettings(settings))
    await keeper.begin()
    resources = Resources(
        database,
        settings,
        Templates(),
        meters=observers.meters,
        watchers=observers.watchers,
    )
    working = Worker(resources, HANDLED, SCHEDULES)
    loop = asyncio.get_running_loop()
    for caught in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(caught, lambda: tasks.append(loop.create_task(working.stop())))
    tasks: list[asyncio.Task[None]] = []
    await working.run()
    await watch.stop()
    await keeper.stop()
    await resources.close()
    await sender.stop()
    await observers.stop()
    await database.dispose()


def require_head(settings: Settings) -> None:
    if not asyncio.run(at_head(settings)):
        raise fail("The database is not up to date. Run: python -m app migrate")


async def at_head(settings: Settings) -> bool:
    """Raise ``Conflict`` when a newer version has migrated it."""
    # Before it is migrated for the first time, the product's own role may not even look.
    async with Database.opened(settings.for_migrations()) as database:
        return await is_at_head(database.engine)


@cli.command(name="migrate")
def migrate_command(
    revision: Annotated[str, typer.Argument(help="head, base, or a revision.")] = "head",
) -> None:
    """Bring the database to this version's schema."""
    with with_database(load_settings()) as ready:
        asyncio.run(migrate_as_owner(ready, revision))
    console.print(f"[green]✓[/] The database is at {revision}")


@cli.command(name="create-superuser")
def create_superuser_command(email: str) -> None:
    """Make a superuser and print the password once."""
    password = one_time_password()

    async def work(settings: Settings) -> None:
        async with Database.opened(settings) as database:
            await create_superuser(database, email, password)

    with with_database(load_settings()) as ready:
        require_head(ready)
        try:
            asyncio.run(work(ready))
        except (AppError, ValidationError) as error:
            problem = error.message if isinstance(error, AppError) else "That e-mail is not valid."
            raise fail(problem) from None
    console.print(f"[green]✓[/] {email} may log in with the password [bold]{password}[/]")


audit = typer.Typer(help="The audit log.", no_args_is_help=True)
cli.add_typer(audit, name="audit")


@audit.callback()
def audit_commands() -> None:
    """The audit log."""


@audit.command(name="verify")
def verify_audit_log() -> None:
    """Recompute the hash chain; exit 1 and say what is wrong if anything was tampered with."""

    async def work(settings: Settings) -> Verification:
        async with (
            Database.opened(settings) as database,
            database.unit_of_work() as session,
        ):
            found = await AuditSealService(session, settings).verify()
            note_verification(AuditEventService(session, Actor.system(Via.CLI)), found)
            return found

    with with_database(load_settings()) as ready:
        require_head(ready)
        with console.status("Verifying…"):
            found = asyncio.run(work(ready))
    for warning in found.warnings:
        console.print(f"[yellow]![/] {warning}")
    for problem in found.problems:
        console.print(f"[red]✗[/] {problem}")
    if found.problems:
        raise fail(f"The audit log is not as it was sealed ({len(found.problems)} problems).")
    console.print(
        f"[green]✓[/] {found.events:,} events in {found.seals:,} seals are as they were sealed. "
        f"Head of the chain: {found.head}"
    )
    if found.erased:
        console.print(f"  In {found.erased:,} of them a person was erased.")


@cli.command()
def demo(
    runs: Annotated[int, typer.Option(min=1, max=100_000, help="How many runs.")] = 3_000,
    seed: Annotated[int, typer.Option(help="Another number makes another month.")] = 7,
    remove: Annotated[bool, typer.Option("--remove", help="Take the demo away again.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Also in production.")] = False,
) -> None:
    """Fill Greenroom with an invented company to look at, or take that away again."""
    settings = load_settings()
    with failing_in_words():
        refuse_in_production(settings, is_sure=yes)
    with with_database(settings) as ready:
        require_head(ready)
        with console.status("Working…") as status:
            tell = status.update
            made = remove_demo(ready, tell) if remove else make_demo(ready, runs, seed, tell)
            said = asyncio.run(made)
    console.print(f"[green]✓[/] {said}")


@cli.command(hidden=True)
def docs() -> None:
    """Write the pages of the manual that are made from the code; `make docs` calls it."""
    PAGE.write_text(configuration_page())


@cli.command()
def openapi(path: Annotated[Path, typer.Argument(help="Where to write the schema.")]) -> None:
    """Write openapi.json, for client generators."""
    import json

    settings = load_settings().model_copy(
        update={"database_url": SecretStr("postgresql+asyncpg://"), "enable_docs": True}
    )
    path.write_text(json.dumps(create_app(settings).openapi(), indent=2))
