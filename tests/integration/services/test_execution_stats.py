"""Sums by the hour: the same as over the rows, whatever happened to them and whenever."""

import asyncio
from dataclasses import astuple, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.database import Database
from app.core.permissions import Role
from app.models import Execution
from app.schemas.statistics import GroupBy
from app.services import statistics
from app.services.execution_stats import ExecutionStatsService
from app.services.latencies import BOUNDS, middle_ms
from app.services.statistics import Figures, StatisticsService
from app.services.time_windows import Window
from tests.conftest import QueryCounter, actor_for
from tests.factories.agents import make_agent
from tests.factories.users import make_user

SINCE = datetime(2026, 11, 1, 10, 20, tzinfo=UTC)
WINDOW = Window(SINCE, SINCE + timedelta(hours=15))
CHANGES = 60
INSERT = text(
    """
INSERT INTO executions (agent_id, trace_id, status, source, model_name, started_at, latency_ms,
                        input_tokens, cost, cost_source)
SELECT :agent, sha256((random() || ':' || n)::bytea)::bytea, :status, 'api', :model,
       CAST(:start AS timestamptz) + n * CAST(:step AS interval), :latency + n, :tokens, :cost,
       'reported'
FROM generate_series(0, :many - 1) AS n
""".replace("sha256((random() || ':' || n)::bytea)::bytea", "uuid_send(gen_random_uuid())")
)
TOUCH = {
    "change": "UPDATE executions SET status = 'failed', cost = 1, latency_ms = 90000",
    "trash": "UPDATE executions SET deleted_at = now()",
    "restore": "UPDATE executions SET deleted_at = NULL",
    "later": "UPDATE executions SET started_at = started_at + interval '3 hours'",
    "move": "UPDATE executions SET agent_id = :agent",
    "remove": "DELETE FROM executions",
}


async def insert(session: AsyncSession, random: Random, agent: int) -> None:
    values = {
        "agent": agent,
        "status": random.choice(["succeeded", "failed", "running"]),
        "model": random.choice([None, "gpt-4o", "o3"]),
        "start": SINCE + timedelta(minutes=random.randint(-90, 1000)),
        "step": timedelta(minutes=random.choice([0, 1, 50])),
        "latency": random.choice([None, 5, 40, 1_500, 70_000]),
        "tokens": random.choice([None, 0, 100]),
        "cost": random.choice([None, 0, 2]),
        "many": random.randint(1, 5),
    }
    await session.execute(INSERT, values)


async def touch(session: AsyncSession, random: Random, agent: int) -> None:
    some = " WHERE id % 5 = :rest"
    statement = text(TOUCH[random.choice(list(TOUCH))] + some)
    wanted = {"rest": random.randint(0, 4), "agent": agent}
    await session.execute(statement, {k: wanted[k] for k in statement._bindparams})


def assert_same(summed: Figures, exact: Figures) -> None:
    assert astuple(summed)[:6] == astuple(exact)[:6]
    for estimate, true in zip(astuple(summed)[6:], astuple(exact)[6:], strict=True):
        assert (estimate is None) == (true is None)
        assert true is None or abs(estimate - true) <= true / 32 + 1e-6


async def answers(session: AsyncSession, actor: Actor, agent: int) -> list[tuple[object, Figures]]:
    """Everything that statistics say, as keys and figures."""
    service = StatisticsService(session, actor)
    found: list[tuple[object, Figures]] = [
        ("all", await service.figures(WINDOW)),
        ("one", await service.figures(WINDOW, agent)),
        *((bucket.window.since, bucket.figures) for bucket in await service.buckets(WINDOW)),
        *((row.agent_id, row.figures) for row in await service.by_agent(WINDOW, 5)),
    ]
    for by in GroupBy:
        groups = await service.groups(WINDOW, by, None)
        found += [((group.key, group.agent_id), group.figures) for group in groups]
    return found


@pytest.mark.parametrize("seed", range(4))
async def test_sums_are_those_of_the_rows_whatever_changes(
    session: AsyncSession, actor: Actor, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    random = Random(seed)  # noqa: S311  (repeatable, no secret)
    agents = [(await make_agent(session, actor)).id for _ in range(3)]
    for number in range(CHANGES):
        what = random.choice([insert, insert, touch])
        await what(session, random, random.choice(agents))
        if random.random() < 0.2:
            await ExecutionStatsService(session).keep_one_mark()
        if random.random() < 0.2:
            await ExecutionStatsService(session).sum_changed()
        if number % 15 == 14:
            exact = await answers(session, actor, agents[0])
            with monkeypatch.context() as patch:
                patch.setattr(statistics, "EXACT_UP_TO", 0)
                summed = await answers(session, actor, agents[0])
            assert [key for key, _ in summed] == [key for key, _ in exact]
            for (_, ours), (_, theirs) in zip(summed, exact, strict=True):
                assert_same(ours, theirs)


@pytest.mark.parametrize("who", ["owner", "key of one agent"])
async def test_sums_show_nobody_more_than_the_rows_would(
    session: AsyncSession, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    random = Random(7)  # noqa: S311  (repeatable, no secret)
    owner = actor_for(await make_user(session, Role.MEMBER))
    other = actor_for(await make_user(session, Role.MEMBER))
    own = [(await make_agent(session, owner)).id for _ in range(2)]
    foreign = (await make_agent(session, other)).id
    for agent in (*own, foreign) * 6:
        await insert(session, random, agent)
    await ExecutionStatsService(session).sum_changed()
    viewer = owner if who == "owner" else replace(owner, only_agent_id=own[0])
    exact = await answers(session, viewer, own[0])
    everything = await answers(session, replace(owner, role=Role.SUPERUSER), own[0])
    monkeypatch.setattr(statistics, "EXACT_UP_TO", 0)
    summed = await answers(session, viewer, own[0])
    assert [key for key, _ in summed] == [key for key, _ in exact]
    for (_, ours), (_, theirs) in zip(summed, exact, strict=True):
        assert_same(ours, theirs)
    assert 0 < dict(summed)["all"].runs < dict(everything)["all"].runs
    assert foreign not in {agent for _, agent in (k for k, _ in summed if isinstance(k, tuple))}


async def test_summed_hours_are_read_without_their_runs(
    session: AsyncSession, actor: Actor, counted: QueryCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await make_agent(session, actor)
    values = {"agent": agent.id, "status": "failed", "model": None, "latency": 5, "tokens": 1}
    moved = {"start": SINCE + timedelta(hours=2), "step": timedelta(0), "many": 500, "cost": 1}
    await session.execute(INSERT, values | moved)
    await ExecutionStatsService(session).sum_changed()
    # Read from the sums alone: the trigger cannot have seen that the rows are gone.
    await session.execute(text("ALTER TABLE executions DISABLE TRIGGER USER"))
    await session.execute(text("DELETE FROM executions"))
    monkeypatch.setattr(statistics, "EXACT_UP_TO", -1)
    with counted:
        figures = await StatisticsService(session, actor).figures(WINDOW)
    assert (figures.runs, figures.failed) == (500, 500)
    assert figures.p50_ms == pytest.approx(254.5, rel=1 / 32)
    assert counted.count == 2


async def test_writers_and_the_worker_meet_without_losing_or_waiting(
    own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with own_database.unit_of_work() as session:
        actor = actor_for(await make_user(session, Role.STAFF))
        agent = (await make_agent(session, actor)).id

    async def write(seed: int) -> None:
        random = Random(seed)  # noqa: S311  (repeatable, no secret)
        for _ in range(25):
            async with own_database.unit_of_work() as session:
                await insert(session, random, agent)
                await asyncio.sleep(random.random() / 100)

    async def work() -> None:
        for _ in range(25):
            async with own_database.unit_of_work() as session:
                await ExecutionStatsService(session).keep_one_mark()
                await ExecutionStatsService(session).sum_changed()

    await asyncio.gather(write(1), write(2), work(), work())
    async with own_database.unit_of_work() as session:
        exact = await StatisticsService(session, actor).figures(WINDOW)
        monkeypatch.setattr(statistics, "EXACT_UP_TO", 0)
        assert_same(await StatisticsService(session, actor).figures(WINDOW), exact)
        assert await session.scalar(select(Execution.id).limit(1)) is not None


def test_no_bucket_is_wider_than_its_error_bound() -> None:
    for number, (start, end) in enumerate(pairwise(BOUNDS), 1):
        for latency in (start, end - 1):
            assert abs(middle_ms(number) - latency) <= latency / 32
