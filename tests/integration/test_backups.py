"""The restore drill: what comes back is what was there, and fit to work with."""

import asyncio
import contextlib
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest
from pydantic import SecretStr

from app.backups.contents import differences, read_contents
from app.backups.drill import Restored, restore_from
from app.backups.dumping import Made, back_up, connected
from app.backups.files import Manifest, pack, read_manifest
from app.backups.programs import libpq_environment, owner_url
from app.core.config import Settings
from app.core.database import Database
from app.core.embedded_postgres import EmbeddedPostgres
from app.core.keys import SecretBox
from app.core.permissions import Role
from app.exceptions import Conflict, Invalid, Unavailable
from app.main import create_app
from app.services.audit_seals import AuditSealService
from tests.conftest import SECRET, client_of, settings_for
from tests.factories.api_keys import make_api_key
from tests.factories.users import make_user

JOBS = 2


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def quiet(_: str) -> None:
    pass


@dataclass
class Source:
    """An installation with data, its settings, and a client with a key of a superuser."""

    database: Database
    settings: Settings
    client: httpx2.AsyncClient

    async def report(self, number: int) -> None:
        run = {
            "agent_id": 1,
            "external_id": f"run-{number}",
            "status": "failed" if number % 3 == 0 else "succeeded",
            "input": {"n": number, "said": "Grüße\u2028 🛫"},
            "started_at": f"2026-0{1 + number % 9}-03T10:00:00Z",
        }
        answer = await self.client.post("/api/v1/executions", json=run)
        assert answer.status_code == 201, answer.text


@pytest.fixture
async def source(own_database: Database) -> AsyncIterator[Source]:
    settings = settings_for(own_database.engine.url.render_as_string(hide_password=False))
    async with own_database.unit_of_work() as session:
        user = await make_user(session, role=Role.SUPERUSER)
        user.totp_secret = SecretBox(settings, "totp").seal("JBSWY3DPEHPK3PXP")
        _, key = await make_api_key(session, user)
    app = create_app(settings, own_database)
    async with client_of(app, headers={"X-API-Key": key}) as client:
        agent = {
            "name": "support",
            "model_name": "gpt-5",
            "system_prompt": "Help.",
            "max_tokens": 100,
        }
        answer = await client.post("/api/v1/agents", json=agent)
        assert answer.status_code == 201, answer.text
        made = Source(own_database, settings, client)
        for number in range(6):
            await made.report(number)
        async with own_database.unit_of_work() as session:
            await AuditSealService(session, settings).seal()
        yield made


@pytest.fixture
async def target(postgres: EmbeddedPostgres) -> Settings:
    """A database without anything in it."""
    async with connected(owner_url(settings_for(postgres.url("postgres")))) as connection:
        name = f"r_{uuid4().hex[:16]}"
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    return settings_for(postgres.url(name))


async def made(source: Source, folder: Path, secret: Path | None = None) -> Made:
    return await back_up(source.settings, folder / "b.tar", secret, JOBS, quiet)


async def restored(target: Settings, path: Path, *, replace: bool = False) -> Restored:
    return await restore_from(target, path, JOBS, replace, quiet)


@contextlib.asynccontextmanager
async def going_on(write: Callable[[int], Awaitable[None]]) -> AsyncIterator[list[int]]:
    """Writes one after another until the block ends; those that are done."""
    done: list[int] = []

    async def writing() -> None:
        while True:
            await write(100 + len(done))
            done.append(100 + len(done))

    task = asyncio.create_task(writing())
    try:
        yield done
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_backup_while_runs_arrive_comes_back_row_by_row(
    source: Source, target: Settings, tmp_path: Path
) -> None:
    async with going_on(source.report) as during:
        backup = await made(source, tmp_path)
    assert during, "nothing was written meanwhile"
    assert stat.S_IMODE(backup.path.stat().st_mode) == 0o600
    assert names_in(tmp_path) == ["b.tar"], "nothing is left lying about"

    done = await restored(target, backup.path)
    assert (done.audit.problems, done.audit.warnings, done.unreadable) == ([], [], [])
    assert done.audit.seals == 1
    assert done.same_secret
    async with connected(owner_url(target)) as connection:
        assert await connection.fetchval("SELECT count(*) FROM executions") >= 6
        now = await read_contents(connection, quiet)
        said = await connection.fetchval("SELECT action FROM audit_events ORDER BY id DESC LIMIT 1")
        public = await connection.fetchval(
            "SELECT has_function_privilege('public', 'make_partitions()', 'execute')"
        )
    # The restore itself is on record, and nothing else differs from the snapshot.
    assert [told.split()[0] for told in differences(backup.manifest.tables, now)] == [
        "public.audit_events"
    ]
    assert (said, public) == ("restore", False)


async def test_restored_database_takes_the_place_of_another(
    source: Source, target: Settings, tmp_path: Path
) -> None:
    backup = await made(source, tmp_path)
    async with connected(owner_url(target)) as connection:
        await connection.execute("CREATE TABLE agents (name) AS SELECT 'of before'")
        with pytest.raises(Conflict, match="not empty"):
            await restored(target, backup.path)
        with pytest.raises(Conflict, match="1 connections"):
            await restored(target, backup.path, replace=True)
    done = await restored(target, backup.path, replace=True)
    assert done.placed.kept_as is not None
    names = []
    for url in (owner_url(target), owner_url(target).set(database=done.placed.kept_as)):
        async with connected(url) as connection:
            names.append(await connection.fetchval("SELECT name FROM agents"))
    assert names == ["support", "of before"]


async def test_other_secret_is_told_with_what_it_cannot_read(
    source: Source, target: Settings, tmp_path: Path
) -> None:
    secret = tmp_path / "secret_key"
    secret.write_text(SECRET)
    backup = await made(source, tmp_path, secret)
    other = target.model_copy(update={"secret_key": SecretStr("another-secret-" + "x" * 32)})
    done = await restored(other, backup.path)
    assert not done.same_secret
    assert [(lost.words, lost.count, lost.total) for lost in done.unreadable] == [
        ("second factors of people", 1, 1)
    ]
    assert "no seal is signed with a configured key" in done.audit.problems[0]


async def test_failed_restore_leaves_the_database_empty(
    source: Source, target: Settings, tmp_path: Path
) -> None:
    backup = await made(source, tmp_path)
    lying = backup.manifest.model_copy(deep=True)
    lying.tables["public.agents"].rows += 1
    rewrite(backup.path, tmp_path / "lying.tar", lying)
    with pytest.raises(Unavailable, match=r"public\.agents had 2 rows and has 1"):
        await restored(target, tmp_path / "lying.tar")
    async with connected(owner_url(target)) as connection:
        assert await connection.fetchval("SELECT to_regclass('public.agents')") is None


def rewrite(path: Path, target: Path, manifest: Manifest) -> None:
    """The same files under another manifest."""
    import tarfile

    folder = target.with_suffix(".files")
    with tarfile.open(path) as tar:
        tar.extractall(folder, filter="data")
    pack(target, manifest, {name: folder / name for name in manifest.files})


async def test_damaged_foreign_and_newer_files_are_refused(
    source: Source, target: Settings, tmp_path: Path
) -> None:
    backup = await made(source, tmp_path)
    content = bytearray(backup.path.read_bytes())
    (tmp_path / "short.tar").write_bytes(content[: len(content) // 2])
    content[len(content) // 2] ^= 1
    (tmp_path / "flipped.tar").write_bytes(content)
    (tmp_path / "other.tar").write_text("no tar at all")
    newer = backup.manifest.model_copy(update={"migration": "ffffffffffff", "version": "9.0"})
    rewrite(backup.path, tmp_path / "newer.tar", newer)
    expected = {"short": "whole|damaged|not a backup", "flipped": "damaged", "other": "no.*backup"}
    expected |= {"newer": r"Greenroom 9\.0, whose database is newer", "none": "no file"}
    for name, words in expected.items():
        with pytest.raises(Invalid, match=words):
            await restored(target, tmp_path / f"{name}.tar")
    with pytest.raises(Conflict, match="exists already"):
        await made(source, tmp_path)
    assert read_manifest(backup.path).rows > 6


def test_password_is_handed_on_by_the_environment_alone() -> None:
    url = "postgresql+asyncpg://me:geheim@db.example.com:6543/greenroom?ssl=verify-full"
    settings = settings_for(url)
    given = libpq_environment(owner_url(settings), {"PATH": "/bin", "PGPORT": "1"})
    assert given == {
        "PATH": "/bin",
        "PGHOST": "db.example.com",
        "PGPORT": "6543",
        "PGUSER": "me",
        "PGDATABASE": "greenroom",
        "PGPASSWORD": "geheim",
        "PGSSLMODE": "verify-full",
        "PGAPPNAME": "greenroom-backup",
        "PGTZ": "UTC",
    }


async def test_nothing_is_backed_up_of_a_database_without_tables(
    target: Settings, tmp_path: Path
) -> None:
    with pytest.raises(Conflict, match="nothing to back up"):
        await back_up(target, tmp_path / "b.tar", None, JOBS, quiet)
    assert names_in(tmp_path) == []
