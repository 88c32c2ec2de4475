"""The chain over the audit log: what was tampered with is found (ASVS 16.4.2)."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor, Via
from app.core.config import Settings
from app.core.database import Database, make_engine
from app.core.embedded_postgres import APP_ROLE, EmbeddedPostgres
from app.core.migrations import migrate
from app.models import AuditSeal
from app.services.audit_events import AuditEventService
from app.services.audit_seals import BATCH, AuditSealService, Verification
from tests.conftest import settings_for

SYSTEM = Actor.system(Via.JOB)


def record(session: AsyncSession, count: int) -> None:
    audit = AuditEventService(session, SYSTEM)
    for number in range(count):
        audit.record("update", "agents", None, {"max_tokens": [number, "ü\u2028 \x7f"]})


async def seal(database: Database, settings: Settings) -> int:
    async with database.unit_of_work() as session:
        return await AuditSealService(session, settings).seal()


async def verify(database: Database, settings: Settings) -> Verification:
    async with database.unit_of_work() as session:
        return await AuditSealService(session, settings).verify()


@pytest.fixture
async def sealed(own_database: Database, settings: Settings) -> Database:
    """A log of three seals: one full, two small."""
    for count in (BATCH + 5, 3):
        async with own_database.unit_of_work() as session:
            record(session, count)
        assert await seal(own_database, settings) == count
    return own_database


async def test_sealed_log_verifies(sealed: Database, settings: Settings) -> None:
    found = await verify(sealed, settings)
    assert (found.problems, found.warnings) == ([], [])
    assert (found.events, found.seals) == (BATCH + 8, 3)
    assert await seal(sealed, settings) == 0, "nothing is sealed twice"


async def test_event_that_commits_late_is_sealed_by_the_next(
    own_database: Database, settings: Settings
) -> None:
    async with own_database.unit_of_work() as slow:
        record(slow, 1)
        await slow.flush()
        async with own_database.unit_of_work() as quick:
            record(quick, 1)
        assert await seal(own_database, settings) == 1
    assert await seal(own_database, settings) == 1
    found = await verify(own_database, settings)
    assert (found.problems, found.events) == ([], 2)


async def test_event_that_waits_is_seen_behind_many_that_are_sealed(
    sealed: Database, settings: Settings
) -> None:
    async with sealed.unit_of_work() as session:
        assert (await AuditSealService(session, settings).state()).oldest_unsealed_at is None
        record(session, 1)
    async with sealed.unit_of_work() as session:
        state = await AuditSealService(session, settings).state()
    assert state.oldest_unsealed_at is not None
    assert not state.is_late


async def test_only_one_process_seals_at_a_time(own_database: Database, settings: Settings) -> None:
    async with own_database.unit_of_work() as session:
        record(session, 50)
    counts = await asyncio.gather(*(seal(own_database, settings) for _ in range(8)))
    assert sum(counts) == 50
    assert (await verify(own_database, settings)).problems == []


Tamper = Callable[[AsyncSession], Awaitable[object]]


def sql(statement: str) -> Tamper:
    return lambda session: session.execute(text(statement))


OLD = "now() - interval '1 hour'"
TAMPERING: dict[str, Tamper] = {
    "changed": sql("UPDATE audit_events SET action = 'x' WHERE id = 7"),
    "one character of a value": sql(
        "UPDATE audit_events SET changes = jsonb_set(changes, '{max_tokens,0}', '8') WHERE id = 8"
    ),
    "who did it": sql("UPDATE audit_events SET actor_user_id = 1 WHERE id = 1003"),
    "when": sql("UPDATE audit_events SET at = at + interval '1 us' WHERE id = 1"),
    "removed": sql("DELETE FROM audit_events WHERE id = 7"),
    "swapped": sql(
        "UPDATE audit_events a SET changes = b.changes FROM audit_events b "
        "WHERE a.id IN (1, 2) AND b.id = 3 - a.id"
    ),
    "slipped in": sql(
        "INSERT INTO audit_events (at, via, action, resource, changes) "
        f"VALUES ({OLD}, 'job', 'x', 'x', '{{}}')"
    ),
    "seal removed": sql("DELETE FROM audit_seals WHERE id = 2"),
    "seal changed": sql("UPDATE audit_seals SET chain_sha256 = sha256('x') WHERE id = 2"),
    "seal without an event": sql(
        "UPDATE audit_seals SET event_ids = array_remove(event_ids, 3::bigint) WHERE id = 1"
    ),
    "seal dated back": sql(
        "UPDATE audit_seals SET sealed_at = sealed_at - interval '3 days' WHERE id = 3"
    ),
    "seal emptied": sql("UPDATE audit_seals SET event_ids = '{}' WHERE id = 3"),
    "signature": sql("UPDATE audit_seals SET signature = sha256('x') WHERE id = 3"),
}


async def without_triggers(session: AsyncSession) -> None:
    for table in ("audit_events", "audit_seals"):
        await session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER append_only"))


@pytest.mark.parametrize("what", TAMPERING)
async def test_tampering_is_found(sealed: Database, settings: Settings, what: str) -> None:
    async with sealed.unit_of_work() as session:
        await without_triggers(session)
        await TAMPERING[what](session)
    assert (await verify(sealed, settings)).problems


async def test_chain_made_anew_without_the_key_is_found(
    sealed: Database, settings: Settings
) -> None:
    """An intruder who can write every table, and knows how the chain is made."""
    other = settings.model_copy(update={"secret_key": SecretStr("x" * 40)})
    async with sealed.unit_of_work() as session:
        key = await session.scalar(select(AuditSeal.key_id).limit(1))
        await without_triggers(session)
        await session.execute(text("UPDATE audit_events SET action = 'forged' WHERE id = 1"))
        await session.execute(text("DELETE FROM audit_seals"))
        await AuditSealService(session, other).seal()
        await session.execute(update(AuditSeal).values(key_id=key))
    assert "the signature is not ours" in str((await verify(sealed, settings)).problems)


@pytest.mark.parametrize("from_seal", [2, 3])
async def test_chain_made_anew_under_a_made_up_key_is_found(
    sealed: Database, settings: Settings, from_seal: int
) -> None:
    """Behind a key that is in use, an unknown one is not taken for one that was retired."""
    other = settings.model_copy(update={"secret_key": SecretStr("x" * 40)})
    async with sealed.unit_of_work() as session:
        await without_triggers(session)
        await session.execute(text("UPDATE audit_events SET action = 'forged' WHERE id = 1008"))
        await session.execute(text(f"DELETE FROM audit_seals WHERE id >= {from_seal}"))
        await AuditSealService(session, other).seal()
    assert (await verify(sealed, settings)).problems


async def test_seals_of_an_earlier_secret_verify_while_it_is_configured(
    sealed: Database, settings: Settings
) -> None:
    fresh = SecretStr("another-secret-0123456789-0123456789")
    rotated = settings.model_copy(
        update={"secret_key": fresh, "old_secret_keys": [settings.secret_key]}
    )
    assert (await verify(sealed, rotated)).warnings == []
    gone = await verify(sealed, settings.model_copy(update={"secret_key": fresh}))
    assert len(gone.warnings) == 3
    assert "no seal is signed with a configured key" in str(gone.problems)


async def test_old_event_that_nobody_sealed_is_an_alarm(
    own_database: Database, settings: Settings
) -> None:
    async with own_database.unit_of_work() as session:
        await TAMPERING["slipped in"](session)
    assert "no seal holds" in str((await verify(own_database, settings)).problems)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET action = 'x'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "UPDATE audit_seals SET key_id = 'x'",
        "DELETE FROM audit_seals",
        "ALTER TABLE audit_events DISABLE TRIGGER append_only",
        "ALTER TABLE audit_events OWNER TO greenroom_app",
        "DROP TABLE agents",
        "CREATE TABLE extra (id int)",
        "UPDATE alembic_version SET version_num = 'x'",
    ],
)
async def test_role_of_the_running_product_cannot_touch_what_is_on_record(
    postgres: EmbeddedPostgres, own_database: Database, statement: str
) -> None:
    await migrate(own_database.engine, app_role=APP_ROLE)
    name = str(own_database.engine.url.database)
    url = postgres.url(name, role=APP_ROLE)
    engine = make_engine(url, settings_for(url))
    async with Database(engine).unit_of_work() as session:
        record(session, 1)
        await session.flush()
    with pytest.raises(DBAPIError) as refused:
        async with engine.begin() as connection:
            await connection.execute(text(statement))
    await engine.dispose()
    assert isinstance(
        refused.value.orig.__cause__ if refused.value.orig else None,
        asyncpg.InsufficientPrivilegeError,
    )
