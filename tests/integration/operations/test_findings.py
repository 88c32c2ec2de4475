"""Each check against a real PostgreSQL: what is well, and what somebody has broken."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from app.core.actor import Actor, Via
from app.core.config import Settings
from app.core.database import Database
from app.models import JobKind, JobStatus
from app.schemas.operations import State
from app.services.audit_events import AuditEventService
from app.services.audit_seals import Verification, note_verification
from app.services.operations.asking import Asking, Row, asking
from app.services.operations.report import OperationsReport, report_over
from tests.conftest import settings_for
from tests.factories.jobs import make_job

SYSTEM = Actor.system(Via.CLI)
Broken = dict[str, tuple[State, str]]


@pytest.fixture
def own_settings(own_database: Database) -> Settings:
    return settings_for(own_database.engine.url.render_as_string(hide_password=False))


@pytest.fixture
async def asked(own_database: Database, own_settings: Settings) -> AsyncIterator[Asking]:
    async with asking(own_database, own_settings) as asked:
        yield asked


def by_key(report: OperationsReport) -> Broken:
    return {finding.key: (finding.state, finding.figure) for finding in report.findings}


async def test_new_installation_is_well_but_for_the_worker_that_never_ran(asked: Asking) -> None:
    report = await report_over(asked)
    # How full the disk is belongs to the machine that runs the tests.
    assert {finding.key for finding in report.to_do} - {"disk"} == {"chores"}
    assert by_key(report)["durability"] == (State.OK, "commits are on disk")
    assert by_key(report)["migrations"] == (State.OK, "at head")
    spans = next(table for table in report.tables if table.name == "spans")
    assert spans.partitions >= 4
    assert not any(table.name.startswith("spans_") for table in report.tables)
    assert all(finding.advice for finding in report.to_do)


async def break_things(own_database: Database) -> None:
    async with own_database.unit_of_work() as session:
        for statement in (
            "ALTER TABLE idempotency_keys SET UNLOGGED",
            "UPDATE alembic_version SET version_num = 'f2c7a90b51e8'",
            "UPDATE pgqueuer.queue SET execute_after = now() - interval '40 minutes'",
            "ALTER ROLE CURRENT_USER SET synchronous_commit = off",
        ):
            await session.execute(text(statement))


async def test_what_is_broken_is_found_with_what_to_do(
    own_database: Database, own_settings: Settings
) -> None:
    async with own_database.unit_of_work() as session:
        await make_job(session, SYSTEM)
        await make_job(session, SYSTEM, status=JobStatus.FAILED)
        await make_job(session, SYSTEM, JobKind.SEND_MAIL, status=JobStatus.FAILED)
    await break_things(own_database)
    try:
        with_mail = own_settings.model_copy(update={"smtp_host": "127.0.0.1"})
        async with asking(own_database, with_mail) as asked:
            found = by_key(await report_over(asked))
    finally:
        async with own_database.unit_of_work() as session:
            await session.execute(text("ALTER ROLE CURRENT_USER RESET synchronous_commit"))
    lost = "synchronous_commit = off; 1 unlogged table"
    assert found["durability"] == (State.BAD, lost)
    assert found["migrations"][0] is State.BAD
    assert found["queue"][0] is State.BAD
    assert found["failed_jobs"] == (State.WARN, "1 job today, 1 in all")
    assert found["mails"] == (State.WARN, "1 mail failed in a week")


async def test_who_waits_for_whom_is_shown_and_a_locked_table_holds_nothing_up(
    own_database: Database, asked: Asking
) -> None:
    async with own_database.unit_of_work() as holder:
        await holder.execute(text("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE"))
        report = await report_over(asked)
    assert by_key(report)["failed_jobs"] == (State.UNKNOWN, "took too long")
    assert by_key(report)["migrations"][0] is State.OK


async def test_last_backup_and_what_the_last_verification_found_are_told(
    own_database: Database, asked: Asking
) -> None:
    found = by_key(await report_over(asked))
    assert (found["backups"][0], found["verified"][0]) == (State.UNKNOWN, State.UNKNOWN)
    async with own_database.unit_of_work() as session:
        audit = AuditEventService(session, SYSTEM)
        audit.record("back_up", "backups", None, {})
        note_verification(audit, Verification(seals=3, problems=["events are gone"]))
    found = by_key(await report_over(asked))
    assert found["backups"][0] is State.OK
    assert found["verified"][0] is State.BAD


async def test_database_of_the_next_version_is_an_upgrade_and_nothing_to_migrate(
    own_database: Database, asked: Asking
) -> None:
    async with own_database.engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = 'fedcba987654'"))
    [found] = [each for each in (await report_over(asked)).findings if each.key == "migrations"]
    assert found.state is State.WARN
    assert "app migrate" not in found.advice


async def test_checks_can_write_nothing(asked: Asking) -> None:
    with pytest.raises(Exception, match="read-only transaction"):
        await asked.value("DELETE FROM users")


async def test_statements_come_without_values(own_database: Database, asked: Asking) -> None:
    async with own_database.unit_of_work() as session:
        await session.execute(text("SELECT 'canary-of-a-person' FROM pg_sleep(0)"))
        rows: list[Row] = list(await asked.rows("SELECT query FROM pg_stat_activity"))
        assert any("canary" in row["query"] for row in rows)
        report = await report_over(asked)
    assert "canary" not in repr(report)
    assert [process.name.split()[0] for process in report.processes] == ["greenroom"]
