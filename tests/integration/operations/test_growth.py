"""Growth is told from what was measured, with the day when the disk is full, or not at all."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor, Via
from app.core.database import Database
from app.core.templating import Templates
from app.jobs.chores import measure_storage
from app.jobs.context import Resources
from app.schemas.operations import State
from app.services.operations import growth, storage
from app.services.operations.asking import asking
from app.services.operations.growth import Growth, free_bytes, full_on, read_growth, said_of
from app.services.storage_sizes import StorageSizeService
from tests.conftest import settings_for

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
GB = 1024**3


def grown(pace: float, full: date | None = None) -> Growth:
    return Growth(NOW - timedelta(days=10), NOW, pace, {}, full)


async def test_growth_is_told_from_a_day_on(own_database: Database) -> None:
    settings = settings_for(own_database.engine.url.render_as_string(hide_password=False))
    resources = Resources(own_database, settings, Templates())
    await measure_storage(resources)
    async with asking(own_database, settings) as asked:
        assert await read_growth(asked) is None
        assert (await growth.growth(asked)).state is State.UNKNOWN
    earlier = """
    INSERT INTO storage_sizes
    SELECT measured_at - interval '10 days', name, total_bytes - 10240
    FROM storage_sizes WHERE name <> 'agents'
    """
    async with own_database.unit_of_work() as session:
        await session.execute(text(earlier))
    async with asking(own_database, settings) as asked:
        found = await read_growth(asked)
        assert found is not None
        assert (found.days, found.bytes_per_day, found.full_on) == (10, 1024, None)
        sized = storage.with_growth(await storage.table_sizes(asked), found)
        paces = {table.name: table.bytes_per_day for table in sized}
        assert paces["executions"] == 1024
        assert paces["agents"] is None, "it was not measured then"
        assert (await growth.growth(asked)).figure == "+1.0 kB a day over 10 days"


async def test_what_was_measured_is_not_kept_for_ever(session: AsyncSession) -> None:
    await session.execute(
        text("INSERT INTO storage_sizes VALUES (now() - interval '41 days', '*', 1)")
    )
    service = StorageSizeService(session, Actor.system(Via.JOB))
    await service.measure()
    await service.measure()
    oldest = await session.scalar(text("SELECT min(measured_at) FROM storage_sizes"))
    assert oldest is not None
    assert datetime.now(UTC) - oldest < timedelta(days=1)


@pytest.mark.parametrize(
    ("pace", "free", "day"),
    [
        (GB, 30 * GB, date(2026, 12, 20)),
        (-GB, 30 * GB, None),
        (0, 30 * GB, None),
        (1, 30 * GB, None),
        (GB, None, None),
    ],
)
def test_disk_is_full_on_a_day(pace: float, free: int | None, day: date | None) -> None:
    assert full_on(pace, free, NOW.date()) == day


def test_disk_that_is_full_soon_is_something_to_do() -> None:
    assert said_of(grown(-GB)).figure == "-1.0 GB a day over 10 days"
    states = [
        said_of(grown(GB, NOW.date() + timedelta(days=days))).state for days in (31, 30, 8, 7, 0)
    ]
    assert states == [State.OK, State.WARN, State.WARN, State.BAD, State.BAD]
    assert said_of(grown(GB, date(2026, 12, 1))).figure.endswith("; full about 01 Dec 2026")


async def test_only_the_disk_of_the_embedded_database_is_seen(tmp_path: Path) -> None:
    embedded = settings_for("postgresql+asyncpg://a@/b?host=/run/x", data_dir=tmp_path)
    assert await free_bytes(embedded) is None
    (tmp_path / "postgres").mkdir()
    assert await free_bytes(embedded)
    elsewhere = SecretStr("postgresql+asyncpg://a@db.example.com/b")
    assert await free_bytes(embedded.model_copy(update={"database_url": elsewhere})) is None
