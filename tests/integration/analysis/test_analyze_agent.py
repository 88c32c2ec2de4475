"""The whole way of an analysis: asked for, read from the database, worked out, kept."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.database import Database
from app.core.permissions import Role
from app.core.process_pool import ProcessPool
from app.exceptions import NotFound
from app.models import Agent, JobKind, JobStatus, User
from app.models.base import JsonObject
from app.schemas.agents import AgentUpdate
from app.schemas.analyses import (
    AnalysisReport,
    AnalysisRequest,
    Finding,
    FindingKind,
    Severity,
)
from app.services import job_queue
from app.services.agents import AgentService
from app.services.analyses import AnalysisService
from app.services.analysis import reader
from app.services.executions import ExecutionService
from app.services.job_queue import Policy
from app.services.jobs import JobService
from tests.conftest import actor_for
from tests.factories.agents import make_agent
from tests.factories.executions import make_execution
from tests.factories.tools import make_tool
from tests.factories.users import make_user
from tests.integration.analysis.working import SYSTEM, analysed, ask, begun, ended, working


def endless(number: int) -> JsonObject:
    """A schema by which checking backtracks for longer than anyone waits; another each time."""
    text = {"type": "string", "pattern": f"^(a+)+{number}$"}
    return {"type": "object", "properties": {"text": text}}


def endless_step(number: int) -> JsonObject:
    return {"name": f"look-up-{number}", "kind": "tool", "input": {"text": "a" * 60 + "!"}}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = Policy(1, timedelta(0), timedelta(0))
    monkeypatch.setitem(job_queue.POLICIES, JobKind.ANALYZE_AGENT, policy)


async def staff_with_agent(session: AsyncSession, **values: Any) -> tuple[User, Actor, Agent]:
    user = await make_user(session, Role.STAFF)
    actor = actor_for(user)
    return user, actor, await make_agent(session, actor, **values)


async def make_runs(
    session: AsyncSession, actor: Actor, agent: Agent, days: Sequence[int]
) -> list[int]:
    """A run on each of these days of November."""
    made = []
    for day in days:
        start, end = (f"2026-11-{day:02}T10:00:{second:02}Z" for second in (0, 5))
        run = await make_execution(session, actor, agent, started_at=start, ended_at=end)
        made.append(run.id)
    return made


def only(report: AnalysisReport, kind: FindingKind) -> Finding:
    [found] = [finding for finding in report.findings if finding.kind is kind]
    return found


async def test_report_is_about_the_agents_runs_and_cites_their_steps(
    own_database: Database,
) -> None:
    async with own_database.unit_of_work() as session:
        _, actor, agent = await staff_with_agent(session)
        other = await make_agent(session, actor)
        run_id, *_ = await make_runs(session, actor, agent, [1])
        await make_runs(session, actor, other, [2, 3])
    report = await analysed(own_database, agent.id)
    scope = report.scope
    assert (scope.runs, scope.steps, scope.model_calls, scope.tool_calls) == (1, 3, 1, 1)
    found = only(report, FindingKind.IGNORED_TOOL_ERRORS)
    assert found.severity is Severity.HIGH
    [place] = found.evidence
    assert (place.execution_id, place.span_id) == (run_id, "00000000000000c1")
    assert place.note == "Error: bag not found"
    assert report.latency_ms.p50 == 5_000


async def test_range_revision_and_limit_choose_the_runs(own_database: Database) -> None:
    async with own_database.unit_of_work() as session:
        _, actor, agent = await staff_with_agent(session)
        await make_runs(session, actor, agent, [1, 2, 3])
        await AgentService(session, actor).update(agent.id, AgentUpdate(system_prompt="New."))
        await make_runs(session, actor, agent, [4, 5])
    day = "2026-11-{:02}T00:00:00Z".format
    newest = await analysed(own_database, agent.id, limit=2)
    assert (newest.scope.runs, newest.scope.more_runs) == (2, True)
    assert [row.number for row in newest.revisions] == [2]
    old = await analysed(own_database, agent.id, revision=1)
    assert (old.scope.runs, old.scope.more_runs) == (3, False)
    between = await analysed(own_database, agent.id, since=day(2), until=day(5))
    assert between.scope.runs == 3
    assert between.scope.first_started_at is not None
    assert between.scope.first_started_at.isoformat() == "2026-11-02T10:00:00+00:00"
    nothing = await analysed(own_database, agent.id, since=day(9))
    assert (nothing.scope.runs, nothing.findings) == (0, [])


async def test_same_runs_give_the_same_report_in_pieces_of_any_size(
    own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with own_database.unit_of_work() as session:
        _, actor, agent = await staff_with_agent(session)
        await make_runs(session, actor, agent, range(1, 13))
        trashed, *_ = await make_runs(session, actor, agent, [20])
        await ExecutionService(session, actor).delete(trashed)
    whole = await analysed(own_database, agent.id)
    monkeypatch.setattr(reader, "PAGE", 5)
    monkeypatch.setattr(reader, "CHUNK_RUNS", 2)
    pieces = await analysed(own_database, agent.id)
    assert pieces.model_dump_json() == whole.model_dump_json()
    assert whole.scope.runs == 12


async def test_run_larger_than_fits_is_read_in_part_and_said_to_be(
    own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with own_database.unit_of_work() as session:
        _, actor, agent = await staff_with_agent(session)
        steps = [
            {"name": "look-up", "kind": "tool", "input": {"n": n}, "output": "Error: gone"}
            for n in range(20)
        ]
        await make_execution(session, actor, agent, spans=steps)
    monkeypatch.setattr(reader, "RUN_BYTES", 500)
    report = await analysed(own_database, agent.id)
    assert (report.scope.read_in_part, report.scope.steps) == (1, 20)
    assert 0 < only(report, FindingKind.FAILING_TOOL).total < 20


async def make_endless_run(session: AsyncSession, tools: int) -> Agent:
    actor = actor_for(await make_user(session, Role.STAFF))
    made = [
        await make_tool(session, actor, name=f"look-up-{number}", parameters=endless(number))
        for number in range(tools)
    ]
    agent = await make_agent(session, actor, tool_ids=[tool.id for tool in made])
    spans = [endless_step(number) for number in range(tools)]
    await make_execution(session, actor, agent, spans=spans)
    return agent


async def test_check_that_would_take_for_ever_is_left_out(own_database: Database) -> None:
    async with own_database.unit_of_work() as session:
        agent = await make_endless_run(session, 1)
    [tool] = [use for use in (await analysed(own_database, agent.id)).tools if use.calls]
    assert (tool.name, tool.calls, tool.checked) == ("look-up-0", 1, 0)


async def test_analysis_that_takes_too_long_is_ended(own_database: Database) -> None:
    async with own_database.unit_of_work() as session:
        agent = await make_endless_run(session, 20)
    async with working(own_database, ProcessPool(1, patience_s=2)):
        job = await ended(own_database, await ask(own_database, agent.id))
    assert (job.status, job.error) == (JobStatus.FAILED, "The work took too long and was ended.")


async def test_running_analysis_stops_when_it_is_cancelled(own_database: Database) -> None:
    async with own_database.unit_of_work() as session:
        agent = await make_endless_run(session, 20)
    async with working(own_database):
        job_id = await ask(own_database, agent.id)
        await begun(own_database, job_id)
        async with own_database.unit_of_work() as session:
            await JobService(session, SYSTEM).cancel(job_id)
        assert (await ended(own_database, job_id)).status is JobStatus.CANCELLED


async def test_analysis_sees_no_more_than_who_asked_still_may(own_database: Database) -> None:
    """The agent is someone else's, and whoever asked is no longer staff."""
    async with own_database.unit_of_work() as session:
        _, _, agent = await staff_with_agent(session)
        user, actor, _ = await staff_with_agent(session)
        job_id = (await AnalysisService(session, actor).start(agent.id, AnalysisRequest())).id
        user.role = Role.MEMBER
        await session.flush()
    async with working(own_database):
        job = await ended(own_database, job_id)
    assert (job.status, job.error) == (JobStatus.FAILED, "There is no such agent.")


async def test_agent_in_the_trash_is_not_analysed(own_database: Database) -> None:
    async with own_database.unit_of_work() as session:
        _, actor, agent = await staff_with_agent(session)
        await AgentService(session, actor).delete(agent.id)
    with pytest.raises(NotFound):
        await ask(own_database, agent.id)
