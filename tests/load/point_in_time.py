"""``python -m tests.load.point_in_time``: the commands of the manual, run as they stand there."""

import asyncio
import os
import pwd
import re
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import typer
from rich.console import Console
from sqlalchemy import text

from app.backups.programs import embedded_folder
from app.core.actor import Actor, Via
from app.core.config import PROJECT_ROOT
from app.core.database import Database
from app.core.migrations import migrate
from app.services.audit_events import AuditEventService
from app.services.audit_seals import AuditSealService
from tests.conftest import settings_for

console = Console()
SECTION = re.compile(r"## Back to any moment\n(.*?)\n## ", re.DOTALL)
BLOCK = re.compile(r"```(ini|sh)\n(.*?)```", re.DOTALL)
ARCHIVED_WITHIN_S = 30


class Cluster:
    """PostgreSQL of its own over ``folder``; as root, by the user that the embedded one runs as."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.user = "pgserver" if os.geteuid() == 0 else None
        if self.user:
            owner = pwd.getpwnam(self.user)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
            folder.chmod(0o755)

    def shell(self, script: str, **values: str) -> None:
        """As written. Raise ``CalledProcessError`` at the first command that fails."""
        path = f"{embedded_folder()}:/usr/bin:/bin"
        environment = {"PATH": path, "PGHOST": str(self.folder), "PGUSER": "postgres"} | values
        subprocess.run(
            ["/bin/sh", "-e", "-c", script],
            env=environment,
            cwd=self.folder,
            user=self.user,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def url(self) -> str:
        return f"postgresql+asyncpg://postgres@/postgres?host={self.folder}"


async def record(url: str, action: str) -> None:
    database = Database.from_settings(settings_for(url))
    try:
        async with database.unit_of_work() as session:
            AuditEventService(session, Actor.system(Via.CLI)).record(action, "moments", None, {})
        async with database.unit_of_work() as session:
            await AuditSealService(session, settings_for(url)).seal()
    finally:
        await database.dispose()


async def prepare(url: str) -> None:
    database = Database.from_settings(settings_for(url))
    try:
        await migrate(database.engine)
    finally:
        await database.dispose()


async def found(url: str) -> tuple[list[str], list[str]]:
    """What is on record, and what is wrong with the record."""
    database = Database.from_settings(settings_for(url))
    try:
        async with database.unit_of_work() as session:
            actions = await session.scalars(text("SELECT action FROM audit_events ORDER BY id"))
            verified = await AuditSealService(session, settings_for(url)).verify()
            return list(actions), verified.problems
    finally:
        await database.dispose()


START = """
mkdir "$ARCHIVE"
initdb -U postgres -D "$PGDATA"
cat extra.conf >> "$PGDATA/postgresql.conf"
pg_ctl -D "$PGDATA" -l first.log -w start
"""


def make(cluster: Cluster, data: str, config: str, values: dict[str, str]) -> None:
    """A cluster that archives its log, as the manual has it set up."""
    config = config.replace("/archive/", f"{values['ARCHIVE']}/")
    sockets = f"listen_addresses = ''\nunix_socket_directories = '{cluster.folder}'\n"
    (cluster.folder / "extra.conf").write_text(f"{config}\n{sockets}")
    cluster.shell(START, PGDATA=data, **values)


def main() -> None:
    """Go back to the moment between two changes, by the commands in docs/backup.md."""
    section = SECTION.search((PROJECT_ROOT / "docs" / "backup.md").read_text())
    blocks = BLOCK.findall(section[1]) if section else []
    config, copying, restoring = (script for _, script in blocks)
    with tempfile.TemporaryDirectory(prefix="pit-") as name:
        cluster = Cluster(Path(name))
        values = {each.upper(): f"{name}/{each}" for each in ("archive", "base")}
        first, second = f"{name}/first", f"{name}/second"
        make(cluster, first, config, values)
        running = first
        try:
            asyncio.run(prepare(cluster.url()))
            cluster.shell(copying, **values)
            asyncio.run(record(cluster.url(), "wanted"))
            time.sleep(1)
            moment = datetime.now(UTC).isoformat(sep=" ")
            time.sleep(1)
            asyncio.run(record(cluster.url(), "a mistake"))
            cluster.shell('psql -qc "SELECT pg_switch_wal()"', **values)
            cluster.shell('pg_ctl -D "$PGDATA" -m fast -w stop', PGDATA=first)
            started = time.perf_counter()
            cluster.shell(restoring, PGDATA=second, MOMENT=moment, **values)
            running = second
            wait_until_promoted(cluster)
            asyncio.run(prepare(cluster.url()))
            seconds = time.perf_counter() - started
            actions, problems = asyncio.run(found(cluster.url()))
        finally:
            cluster.shell('pg_ctl -D "$PGDATA" -m immediate -w stop', PGDATA=running)
    console.print(f"back at {moment} after {seconds:.1f} s: {actions}, problems {problems}")
    if actions != ["wanted"] or problems:
        raise typer.Exit(1)


def wait_until_promoted(cluster: Cluster) -> None:
    ends = time.monotonic() + ARCHIVED_WITHIN_S
    while time.monotonic() < ends:
        try:
            cluster.shell('test "$(psql -Atqc "SELECT pg_is_in_recovery()")" = f')
        except subprocess.CalledProcessError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError("The restored cluster did not take over.")


if __name__ == "__main__":
    typer.run(main)
