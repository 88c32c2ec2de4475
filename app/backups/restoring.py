"""A backup's way back: into an empty database, or beside the present one and then in its place."""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL

from app.backups.contents import Connection, differences, read_contents, tables_of
from app.backups.dumping import connected
from app.backups.files import Manifest, read_manifest, unpack
from app.backups.programs import Tell, libpq_environment, owner_url, program, run_program
from app.core.config import Settings
from app.core.migrations import known_revisions
from app.exceptions import Conflict, Invalid, Unavailable

RESTORED = re.compile(r'processing data for table "(.+)"')
NOT_EMPTY = (
    "The database is not empty. Restore into an empty one, or add --replace: the restored database "
    "then takes its place, and the present one is kept under another name."
)
STILL_USED = (
    "Something still uses the database ({count} connections). Stop Greenroom's servers and workers "
    "first."
)
NEWER = (
    "This backup was made by Greenroom {version}, whose database is newer than this version knows. "
    "Restore it with that version or a later one."
)
NO_NEW_DATABASE = (
    "The role of the database may not make another one beside it. Restore into an empty database "
    "and let DATABASE_URL name that."
)
OTHERS = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
LIKE_THIS_ONE = """
SELECT datlocprovider::text AS provider, datcollate, datctype,
    coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') AS locale
FROM pg_database d WHERE datname = current_database()
"""
PROVIDERS = {"b": "LOCALE_PROVIDER builtin BUILTIN_LOCALE", "i": "LOCALE_PROVIDER icu ICU_LOCALE"}
MAY_CREATE = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
# The schemas that a backup holds.
EMPTY_AGAIN = """
DROP SCHEMA public CASCADE; CREATE SCHEMA public; DROP SCHEMA IF EXISTS pgqueuer CASCADE
"""


@dataclass(frozen=True, slots=True)
class Placed:
    """``kept_as`` is what the database that was there before is called now."""

    manifest: Manifest
    kept_as: str | None


def readable_manifest(path: Path) -> Manifest:
    """Raise ``Invalid`` for what is no backup, or needs a newer version than this."""
    manifest = read_manifest(path)
    if manifest.migration not in known_revisions():
        raise Invalid(NEWER.format(version=manifest.version))
    return manifest


async def place(settings: Settings, path: Path, jobs: int, replace: bool, tell: Tell) -> Placed:
    """Bring the rows back and compare them; migrating is left to the caller.

    Raise ``Conflict`` when the database holds something and is not to be replaced.
    """
    manifest, url = readable_manifest(path), owner_url(settings)
    async with connected(url) as connection:
        is_empty = not await tables_of(connection)
    if not is_empty and not replace:
        raise Conflict(NOT_EMPTY)
    way = emptied_on_failure(url) if is_empty else beside(url)
    kept_as = None
    with tempfile.TemporaryDirectory(prefix="greenroom-restore-") as folder:
        tell("Checking the file")
        await asyncio.to_thread(unpack, path, manifest, Path(folder))
        async with way as target:
            await fill(settings, target, (Path(folder), jobs), manifest, tell)
        if not is_empty:
            kept_as = await swap(url, target)
    return Placed(manifest, kept_as)


async def fill(
    settings: Settings, url: URL, source: tuple[Path, int], manifest: Manifest, tell: Tell
) -> None:
    """Raise ``Unavailable`` when not every row came back as it was."""
    folder, jobs = source
    environment = libpq_environment(url)
    restore = program("pg_restore", settings, environment)
    listed = await run_program([restore, "--list", folder / "dump"], environment, lambda _: None)
    # The version comes last: until then nothing takes this for a database it could work with.
    unwanted = ("TABLE DATA public alembic_version", "SCHEMA - public", "COMMENT - SCHEMA public")
    wanted = [line for line in listed.splitlines() if not any(word in line for word in unwanted)]
    (folder / "list").write_text("\n".join(wanted))
    arguments = ["--no-owner", "--no-privileges", "--exit-on-error", "--verbose"]
    arguments += [f"--jobs={jobs}", f"--use-list={folder / 'list'}", f"--dbname={url.database}"]

    def heard(line: str) -> None:
        if found := RESTORED.search(line):
            tell(f"Bringing back {found[1]}")

    await run_program([restore, *arguments, folder / "dump"], environment, heard)
    async with connected(url) as connection:
        insert = "INSERT INTO alembic_version (version_num) VALUES ($1)"
        async with connection.transaction():
            await connection.execute(insert, manifest.migration)
            changed = differences(manifest.tables, await read_contents(connection, tell))
            if changed:
                raise Unavailable(f"Not everything came back as it was: {'; '.join(changed[:5])}.")
        tell("Gathering statistics for the planner")
        await connection.execute("ANALYZE")


@asynccontextmanager
async def emptied_on_failure(url: URL) -> AsyncIterator[URL]:
    """The database that was empty is so again when the block fails."""
    try:
        yield url
    except BaseException:
        async with connected(url) as connection:
            await connection.execute(EMPTY_AGAIN)
        raise


@asynccontextmanager
async def beside(url: URL) -> AsyncIterator[URL]:
    """A new database on the same server, which is dropped when the block fails."""
    name = f"{url.database}_restoring"
    async with connected(url) as connection:
        await refuse_others(connection)
        if not await connection.fetchval(MAY_CREATE):
            raise Conflict(NO_NEW_DATABASE)
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
        await connection.execute(await creation(connection, name))
    try:
        yield url.set(database=name)
    except BaseException:
        async with connected(url) as connection:
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        raise


async def creation(connection: Connection, name: str) -> str:
    """A database that sorts as the present one does."""
    row = await connection.fetchrow(LIKE_THIS_ONE)
    text = f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'"
    if row["provider"] in PROVIDERS:
        text += f" {PROVIDERS[row['provider']]} '{row['locale']}'"
    return f"{text} LC_COLLATE '{row['datcollate']}' LC_CTYPE '{row['datctype']}'"


async def refuse_others(connection: Connection) -> None:
    count = await connection.fetchval(OTHERS)
    if count:
        raise Conflict(STILL_USED.format(count=count))


async def swap(url: URL, restored: URL) -> str:
    """The restored database takes the name; what the one before is called now.

    Where that fails half-way, everything is called as before.
    """
    kept = f"{url.database}_before_{datetime.now(UTC):%Y%m%d_%H%M%S}"
    async with connected(url) as connection:
        await refuse_others(connection)
    # Nobody can rename the database that they are connected to.
    async with connected(restored) as connection:
        await connection.execute(rename(url.database, kept))
    try:
        async with connected(url.set(database=kept)) as connection:
            await connection.execute(rename(restored.database, url.database))
    except BaseException:
        async with connected(restored) as connection:
            await connection.execute(rename(kept, url.database))
        raise
    return kept


def rename(old: str | None, new: str | None) -> str:
    return f'ALTER DATABASE "{old}" RENAME TO "{new}"'
