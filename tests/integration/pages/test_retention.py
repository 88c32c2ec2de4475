"""What is older than it is kept for goes, by months; what matters stays, and so do figures."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor, Via
from app.core.config import Settings
from app.core.permissions import Role
from app.jobs.context import Resources
from app.jobs.retention import keep_for_as_long_as_said
from app.models import Agent, Execution, JobKind, User
from app.schemas.feedback import FeedbackCreate
from app.services import retention, retention_work
from app.services.execution_stats import ExecutionStatsService
from app.services.feedback import FeedbackService
from app.services.retention import RetentionService
from tests.conftest import actor_for
from tests.factories.agents import make_agent
from tests.factories.bulk_changes import make_bulk_change
from tests.factories.executions import MODEL_STEP, make_execution
from tests.factories.ingest_batches import make_ingest_batch
from tests.factories.jobs import make_job
from tests.jobs import work_off

SYSTEM = Actor.system(Via.JOB)
CONFIRMED = {"confirm": "yes"}
MONTH = """
CREATE TABLE {table}_p202601 PARTITION OF {table}
FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00')
"""
TABLES = ("spans", "execution_bodies", "span_bodies")
LEFT = """
SELECT (SELECT count(*) FROM executions), (SELECT count(*) FROM spans),
    (SELECT count(*) FROM execution_bodies), (SELECT count(*) FROM span_bodies)
"""
HAS_MONTH = "SELECT count(*) FROM pg_class WHERE relname ~ '^(spans|.*_bodies)_p202601$'"


async def one(session: AsyncSession, query: str) -> Any:  # a row, or its only value
    row = (await session.execute(text(query))).one()
    return tuple(row) if len(row) > 1 else row[0]


@pytest.fixture
def kept(app: FastAPI, settings: Settings) -> Settings:
    """Runs are kept for half a year."""
    app.state.settings = settings.model_copy(update={"executions_kept_days": 180})
    own: Settings = app.state.settings
    return own


@pytest.fixture
async def agent(session: AsyncSession, staff: User) -> Agent:
    staff.role = Role.SUPERUSER
    await session.flush()
    for table in TABLES:
        await session.execute(text(MONTH.format(table=table)))
    return await make_agent(session, actor_for(staff))


async def make_run(session: AsyncSession, agent: Agent, day: str, **values: Any) -> Execution:
    at = f"2026-{day}T10:00:00Z"
    step = MODEL_STEP | {"started_at": at, "ended_at": at, "parent_span_id": None}
    values = {"started_at": at, "ended_at": at, "spans": [step]} | values
    return await make_execution(session, SYSTEM, agent, **values)


@pytest.fixture
async def runs(session: AsyncSession, agent: Agent, staff: User) -> Mapping[str, Execution]:
    """Of January (with a partition of its own), of March (without) and of November."""
    made = {
        "plain": await make_run(session, agent, "01-03"),
        "failed": await make_run(session, agent, "01-04", status="failed", error="no"),
        "praised": await make_run(session, agent, "01-05"),
        "trashed": await make_run(session, agent, "01-06", status="failed"),
        "march": await make_run(session, agent, "03-07"),
        "new": await make_run(session, agent, "11-07"),
    }
    praise = FeedbackCreate(name="helpful", value=1)
    await FeedbackService(session, actor_for(staff)).give(made["praised"], praise)
    await session.execute(
        text("UPDATE executions SET deleted_at = now() WHERE id = :id"), {"id": made["trashed"].id}
    )
    return made


async def sum_up(session: AsyncSession) -> int:
    while await ExecutionStatsService(session).sum_changed():
        pass
    return int(await one(session, "SELECT sum(runs) FROM execution_stats_hourly"))


@pytest.mark.usefixtures("kept")
async def test_months_that_are_over_go_and_what_matters_stays(
    web: httpx2.AsyncClient,
    app: FastAPI,
    session: AsyncSession,
    runs: Mapping[str, Execution],
) -> None:
    figures = await sum_up(session)
    page = (await web.get("/retention")).text
    assert "1 failed, 1 with feedback" in page
    refused = await web.post("/retention/apply", data={})
    assert refused.status_code == 422
    assert "Say that you have read what goes." in refused.text
    answer = await web.post("/retention/apply", data=CONFIRMED)
    assert answer.status_code == 303, answer.text
    again = await web.post("/retention/apply", data=CONFIRMED)
    assert "being done already" in again.text
    await work_off(app)

    rows = await session.execute(text("SELECT id FROM executions ORDER BY id"))
    stay = [runs[name].id for name in ("failed", "praised", "new")]
    assert list(rows.scalars()) == stay
    assert await one(session, LEFT) == (3, 3, 3, 3)
    assert await one(session, HAS_MONTH) == 3, "what is spared keeps its month"
    assert await sum_up(session) == figures
    # A change of a run that is left does not count its hour anew.
    await session.execute(text("UPDATE executions SET tags = '{x}'"))
    assert await sum_up(session) == figures
    assert "Nothing is older than it is kept for" in (await web.get("/retention")).text
    said = await session.scalars(
        text("SELECT action FROM audit_events WHERE resource = 'retention' ORDER BY id")
    )
    assert list(said) == ["apply_retention", "advance", "remove"]


@pytest.mark.usefixtures("kept")
async def test_what_made_steps_goes_with_the_last_of_them(
    web: httpx2.AsyncClient, app: FastAPI, session: AsyncSession, runs: Mapping[str, Execution]
) -> None:
    add = text("""
    INSERT INTO span_origins (sha256, resource, scope_name, scope_version, schema_url, used_until)
    VALUES (sha256(:name), '{}', convert_from(:name, 'UTF8'), '', '', CAST(:until AS date))
    """)
    last_used = {"gone": "2026-01-01", "spared": "2026-01-01", "used": "2026-11-01"}
    for name, until in last_used.items():
        await session.execute(add, {"name": name.encode(), "until": date.fromisoformat(until)})
    refer = text("""
    UPDATE span_bodies SET origin_id = (SELECT id FROM span_origins WHERE scope_name = :name)
    WHERE trace_id = :trace
    """)
    for name, run in (("gone", runs["plain"]), ("spared", runs["failed"])):
        await session.execute(refer, {"name": name, "trace": run.stored_trace_id})
    await sum_up(session)
    await web.post("/retention/apply", data=CONFIRMED)
    await work_off(app)
    left = await session.scalars(text("SELECT scope_name FROM span_origins ORDER BY id"))
    assert list(left) == ["spared", "used"]


async def test_bodies_go_alone_and_runs_say_that_they_are_gone(
    web: httpx2.AsyncClient,
    app: FastAPI,
    session: AsyncSession,
    settings: Settings,
    runs: Mapping[str, Execution],
) -> None:
    app.state.settings = settings.model_copy(update={"execution_bodies_kept_days": 180})
    assert (await web.post("/retention/apply", data=CONFIRMED)).status_code == 303
    await work_off(app)
    # Those of January but for the spared; March lies in no month of its own.
    assert await one(session, LEFT) == (6, 6, 4, 4)
    assert (await web.get(f"/executions/{runs['plain'].id}")).status_code == 200


@pytest.mark.usefixtures("kept")
async def test_rounds_of_runs_go_on_after_each_other(
    web: httpx2.AsyncClient,
    app: FastAPI,
    session: AsyncSession,
    runs: Mapping[str, Execution],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await sum_up(session)
    monkeypatch.setattr(retention_work, "RUNS_AT_ONCE", 1)
    await web.post("/retention/apply", data=CONFIRMED)
    await work_off(app)
    rows = await session.scalars(text("SELECT id FROM executions ORDER BY id"))
    assert list(rows) == [runs[name].id for name in ("failed", "praised", "new")]


@pytest.mark.usefixtures("kept")
async def test_nothing_goes_while_figures_are_not_summed(
    web: httpx2.AsyncClient,
    app: FastAPI,
    session: AsyncSession,
    runs: Mapping[str, Execution],
) -> None:
    await web.post("/retention/apply", data=CONFIRMED)
    await work_off(app, rounds=2)
    assert (await one(session, LEFT))[0] == len(runs)
    await sum_up(session)
    await work_off(app)
    assert (await one(session, LEFT))[0] == 3


@pytest.mark.usefixtures("agent")
async def test_database_drops_no_month_that_is_still_kept(session: AsyncSession) -> None:
    for wrong in ("'spans', '2026-01-01'", "'users', '2026-01-01'"):
        with pytest.raises(DBAPIError, match=r"still to be kept|no such table"):
            async with session.begin_nested():
                await session.execute(text(f"SELECT drop_month({wrong})"))


async def test_finished_jobs_changes_and_receipts_go_by_day_but_analyses_stay(
    app: FastAPI, session: AsyncSession, agent: Agent, staff: User, settings: Settings
) -> None:
    actor = actor_for(staff)
    for kind in (JobKind.ANALYZE_AGENT, JobKind.RECOMPUTE_COSTS, JobKind.SEND_MAIL):
        await make_job(session, actor, kind, params={})
    await make_bulk_change(session, actor, ids=[agent.id], dry_run=False)
    await make_ingest_batch(session, actor)
    old = "now() - interval '91 days'"
    await session.execute(text(f"UPDATE jobs SET status = 'succeeded', finished_at = {old}"))
    await session.execute(text(f"UPDATE jobs SET created_at = {old}"))
    await session.execute(text("UPDATE jobs SET finished_at = now() WHERE kind = 'send_mail'"))
    await session.execute(text(f"UPDATE bulk_changes SET started_at = {old}"))
    await session.execute(text(f"UPDATE ingest_batches SET created_at = {old}"))
    plan = await RetentionService(session, SYSTEM, settings).plan()
    assert [(each.table, each.rows) for each in plan.others] == [
        ("bulk_changes", 1),
        ("jobs", 1),
        ("webhook_deliveries", 0),
        ("jobs", 0),  # those that sent messages
        ("ingest_batches", 1),
    ]
    await keep_for_as_long_as_said(Resources(app.state.database, settings, app.state.templates))
    kinds = await session.scalars(text("SELECT kind FROM jobs ORDER BY kind"))
    assert list(kinds) == ["analyze_agent", "send_mail"]
    assert await one(session, "SELECT count(*) FROM bulk_changes") == 0
    assert await one(session, "SELECT count(*) FROM ingest_batches") == 0


@pytest.mark.usefixtures("runs")
async def test_month_that_ends_is_noticed_by_the_clock(
    app: FastAPI, session: AsyncSession, kept: Settings
) -> None:
    await sum_up(session)
    resources = Resources(app.state.database, kept, app.state.templates)
    await keep_for_as_long_as_said(resources)
    await work_off(app)
    assert (await one(session, LEFT))[0] == 3
    await keep_for_as_long_as_said(resources)
    assert await one(session, "SELECT count(*) FROM jobs WHERE kind = 'apply_retention'") == 1


@pytest.mark.usefixtures("kept", "runs")
async def test_what_is_too_much_to_count_is_estimated_and_says_so(
    web: httpx2.AsyncClient, session: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = (await web.get("/retention")).text
    assert "about 3 " not in exact
    assert "estimated from a sample" not in exact
    copies = """
    INSERT INTO executions (trace_id, agent_id, status, source, started_at, span_count, cost_source)
    SELECT decode(md5(n::text), 'hex'), agent_id, 'succeeded', source, started_at, 2, cost_source
    FROM executions, generate_series(1, 20000) n WHERE id = (SELECT min(id) FROM executions)
    """
    await session.execute(text(copies))
    await session.execute(text("UPDATE jobs SET status = 'succeeded'"))
    monkeypatch.setattr(retention, "SAMPLED_BYTES", 400_000)
    page = (await web.get("/retention")).text
    assert "estimated from a sample" in page
    [going] = [int(each) for each in re.findall(r"about (\d+),000</td>", page)[:1]]
    assert 15 <= going <= 25


@pytest.mark.usefixtures("kept", "agent")
async def test_no_more_of_the_rest_is_counted_than_matters(
    web: httpx2.AsyncClient, session: AsyncSession, staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await make_ingest_batch(session, actor_for(staff))
    old = "created_at = now() - interval '91 days'"
    await session.execute(text(f"UPDATE ingest_batches SET {old}"))
    monkeypatch.setattr(retention, "MOST_COUNTED", 2)
    assert "more than 2<" in (await web.get("/retention")).text


async def test_staff_do_not_see_retention(web: httpx2.AsyncClient) -> None:
    assert (await web.get("/retention")).status_code == 403
