"""The demo comes and goes, and leaves what was there before as it was."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text

from app.core.actor import Actor, Via
from app.core.config import Environment
from app.core.database import Database
from app.core.permissions import Role
from app.demo.build import build
from app.demo.command import refuse_in_production
from app.demo.company import AGENTS, DRIFTED, TOOLS
from app.demo.month import reports
from app.demo.stories import STORIES, Calls
from app.exceptions import Conflict
from app.models import Agent, User
from app.services.agents import AgentService
from app.services.demo import DOMAIN, DemoService
from tests.conftest import actor_for, settings_for
from tests.factories.agents import make_agent
from tests.factories.api_keys import make_api_key
from tests.factories.executions import make_execution
from tests.factories.tools import make_tool
from tests.factories.users import make_user
from tests.factories.webhook_endpoints import make_webhook_endpoint

RUNS = 25
SYSTEM = Actor.system(Via.CLI)
# These say that something was there; sums are made anew from what is left.
REMAINS = {"audit_events", "stale_hours"}
TABLES = text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
FOOTPRINT = "SELECT count(*), coalesce(sum(hashtext(t::text)), 0) FROM {} t"


async def footprint(database: Database) -> dict[str, tuple[int, int]]:
    """How many rows each table has, and a sum over all that is in them."""
    async with database.unit_of_work() as session:
        tables = set(await session.scalars(TABLES)) - REMAINS
        found = {}
        for table in sorted(tables):
            count, content = (await session.execute(text(FOOTPRINT.format(table)))).one()
            found[table] = (count, content)
    return found


async def make_demo(database: Database) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    await build(database, settings_for(url), RUNS, 7, lambda _: None)


async def make_own(database: Database) -> tuple[User, Agent]:
    async with database.unit_of_work() as session:
        boss = await make_user(session, Role.SUPERUSER, email="demo@demo.example.com")
        actor = actor_for(boss)
        tool = await make_tool(session, actor)
        agent = await make_agent(session, actor, name="airline-support", tool_ids=[tool.id])
        await make_execution(session, actor, agent, tags=["demo"])
        await make_api_key(session, boss)
        await make_webhook_endpoint(session, actor)
        return boss, agent


async def test_demo_goes_without_a_trace_in_what_was_there(own_database: Database) -> None:
    await make_own(own_database)
    before = await footprint(own_database)
    await make_demo(own_database)
    during = await footprint(own_database)
    assert during["executions"][0] == before["executions"][0] + RUNS
    async with own_database.unit_of_work() as session:
        people = select(User.hashed_password.is_(None)).where(User.email.endswith(f"@{DOMAIN}"))
        assert sum(await session.scalars(people)) == 1, "the others have come"
    assert during["tools"][0] > before["tools"][0] + 20
    assert during["agent_revisions"][0] > during["agents"][0]
    assert during["webhook_deliveries"][0] == 0, "real receivers hear nothing of invented runs"
    with pytest.raises(Conflict, match="already"):
        await make_demo(own_database)
    async with own_database.unit_of_work() as session:
        removed = await DemoService(session, SYSTEM).remove()
    assert removed["runs"] == RUNS
    assert await footprint(own_database) == before
    async with own_database.unit_of_work() as session:
        assert not any((await DemoService(session, SYSTEM).remove()).values())


async def test_demo_stays_while_something_else_uses_it(own_database: Database) -> None:
    boss, agent = await make_own(own_database)
    await make_demo(own_database)
    before = await footprint(own_database)
    async with own_database.unit_of_work() as session:
        theirs = text(f"SELECT id FROM tools WHERE name = '{DRIFTED}'")
        tool_id = (await session.execute(theirs)).scalar_one()
        await AgentService(session, actor_for(boss)).set_tool(agent.id, tool_id, present=True)
    with pytest.raises(Conflict, match="airline-support"):
        async with own_database.unit_of_work() as session:
            await DemoService(session, SYSTEM).remove()
    assert (await footprint(own_database))["executions"] == before["executions"]


async def test_demo_needs_somebody_who_can_log_in(own_database: Database) -> None:
    with pytest.raises(Conflict, match="Nobody can log in"):
        await make_demo(own_database)


def test_production_asks_to_be_sure() -> None:
    settings = settings_for("postgresql+asyncpg://", environment=Environment.PRODUCTION)
    with pytest.raises(Conflict, match="--yes"):
        refuse_in_production(settings, is_sure=False)
    refuse_in_production(settings, is_sure=True)


def test_every_agent_has_stories_that_call_its_own_tools() -> None:
    known = {tool.name: tool for tool in TOOLS}
    for agent in AGENTS:
        for story in STORIES[agent.name]:
            for call in (part for part in story if isinstance(part, Calls)):
                given = {name.rstrip("?") for name in known[call.tool].arguments}
                assert call.tool in agent.tools, (agent.name, call.tool)
                assert set(call.arguments) <= given, call


def test_same_seed_tells_the_same_month() -> None:
    now = datetime(2026, 11, 26, 12, tzinfo=UTC)
    assert list(reports(30, now, 1)) == list(reports(30, now, 1))
    assert list(reports(30, now, 1)) != list(reports(30, now, 2))
