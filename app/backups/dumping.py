"""Making a backup: one snapshot of the database for PostgreSQL's dump and for our sums."""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import create_async_engine

from app.backups.contents import Connection, TableContents, read_contents
from app.backups.files import (
    SECRET,
    Manifest,
    files_in,
    pack,
    sha256_of,
    whole_or_not_at_all,
)
from app.backups.programs import Tell, libpq_environment, owner_url, program, run_program
from app.core.config import Settings
from app.core.database_errors import UNAVAILABLE
from app.core.keys import key_id, key_ring
from app.core.migrations import SCHEMAS
from app.exceptions import Conflict, Unavailable

CONNECT_WITHIN_S = 10
# A migration holds tables for itself; a backup waits for it so long.
LOCK_WAIT = "60s"
# PostgreSQL's own level 6 takes about twice as long for a tenth less.
COMPRESSION = "3"
DUMPED = re.compile(r'dumping contents of table "(.+)"')
VERSION = "SELECT version_num FROM alembic_version"
KEY_PURPOSE = "backup"
UNLIMITED = """
SET statement_timeout = 0; SET lock_timeout = '60s'; SET idle_in_transaction_session_timeout = 0
"""


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was made."""

    path: Path
    manifest: Manifest

    @property
    def size_bytes(self) -> int:
        return self.path.stat().st_size


def default_path(settings: Settings) -> Path:
    return settings.data_dir / "backups" / f"greenroom-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar"


def secret_id(settings: Settings) -> str:
    """Names SECRET_KEY without giving it away."""
    return key_id(key_ring(settings, KEY_PURPOSE)[0])


@asynccontextmanager
async def connected(url: URL) -> AsyncIterator[Connection]:
    """A connection without limits of time. Raise ``Unavailable`` when nobody answers."""
    _, options = create_async_engine(url).dialect.create_connect_args(url)
    try:
        connection = await asyncpg.connect(timeout=CONNECT_WITHIN_S, **options)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise Unavailable(UNAVAILABLE) from error
    try:
        await connection.execute(UNLIMITED)
        yield connection
    finally:
        with suppress(Exception):
            await connection.close()


async def back_up(
    settings: Settings, path: Path, secret: Path | None, jobs: int, tell: Tell
) -> Made:
    """Write a backup while everything runs; ``secret`` is a file to put into it.

    Raise ``Conflict`` when there is such a file, or nothing to back up.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (
        whole_or_not_at_all(path) as unfinished,
        tempfile.TemporaryDirectory(prefix=".greenroom-backup-", dir=path.parent) as folder,
    ):
        made = datetime.now(UTC)
        dumped = await dump(settings, Path(folder), jobs, tell)
        files = files_in(Path(folder)) | ({SECRET: secret} if secret else {})
        tell("Writing the file")
        sums = await asyncio.to_thread(lambda: {n: sha256_of(p) for n, p in files.items()})
        manifest = Manifest(
            version=settings.version,
            made_at=made,
            server_version=dumped.server_version,
            migration=dumped.migration,
            key_id=secret_id(settings),
            tables=dumped.tables,
            files=sums,
        )
        await asyncio.to_thread(pack, unfinished, manifest, files)
    return Made(path, manifest)


@dataclass(frozen=True, slots=True)
class Dumped:
    server_version: str
    migration: str
    tables: dict[str, TableContents]


async def dump(settings: Settings, folder: Path, jobs: int, tell: Tell) -> Dumped:
    """PostgreSQL's dump into ``folder``, and what the same snapshot held."""
    url = owner_url(settings)
    async with connected(url) as connection:
        version = await connection.fetchval("SHOW server_version")
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            if await connection.fetchval("SELECT to_regclass('public.alembic_version')") is None:
                raise Conflict("There is nothing to back up: the database was never migrated.")
            migration = await connection.fetchval(VERSION)
            snapshot = await connection.fetchval("SELECT pg_export_snapshot()")
            async with asyncio.TaskGroup() as together:
                dumping = pg_dump(settings, url, folder / "dump", (snapshot, jobs), tell)
                together.create_task(dumping)
                counting = together.create_task(read_contents(connection, tell))
            return Dumped(str(version), str(migration), counting.result())


async def pg_dump(
    settings: Settings, url: URL, target: Path, how: tuple[str, int], tell: Tell
) -> None:
    """``how`` is the snapshot to dump, and by how many connections."""
    snapshot, jobs = how
    environment = libpq_environment(url)
    arguments = ["--format=directory", f"--file={target}", f"--jobs={jobs}", "--verbose"]
    arguments += [f"--snapshot={snapshot}", f"--lock-wait-timeout={LOCK_WAIT}"]
    arguments += [f"--compress={COMPRESSION}", "--no-owner", "--no-privileges"]
    arguments += ["--no-unlogged-table-data", *(f"--schema={schema}" for schema in SCHEMAS)]

    def heard(line: str) -> None:
        if found := DUMPED.search(line):
            tell(f"Copying {found[1]}")

    await run_program([program("pg_dump", settings, environment), *arguments], environment, heard)
