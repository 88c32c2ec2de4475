"""What is in the installations that are photographed: nothing, the demo, or too much of all."""

from collections.abc import Mapping

from sqlalchemy import select, text

from app.core.config import Settings
from app.core.database import Database
from app.core.permissions import Role
from app.demo.build import build
from app.models import Agent, User
from tests.conftest import actor_for
from tests.factories.agents import make_agent
from tests.factories.analyses import make_analysis
from tests.factories.api_keys import make_api_key
from tests.factories.bulk_changes import make_bulk_change
from tests.factories.executions import execution_data, make_execution
from tests.factories.imports import make_import
from tests.factories.ingest_batches import make_ingest_batch
from tests.factories.model_prices import make_model_price
from tests.factories.saved_views import make_saved_view
from tests.factories.tools import make_tool
from tests.factories.users import make_session_token, make_user
from tests.factories.webhook_endpoints import make_webhook_delivery, make_webhook_endpoint

BOSS = "grace.hopper@example.com"
HUGE = 60
LONG = "W" * 100  # as long as a name may be, without a place to break
WORDS = "A sentence that goes on and on, because nobody has told it where to end. " * 30
Ids = Mapping[str, int]

AGENT = "SELECT id FROM agents WHERE deleted_at IS NULL ORDER BY name = 'airline-support' DESC, id"
TOOL = "SELECT id FROM tools WHERE deleted_at IS NULL ORDER BY name = 'search_flights' DESC, id"
RUN = """SELECT id FROM executions
ORDER BY error_count > 0 AND status = 'succeeded' DESC, span_count DESC, id"""
# The rows that the pages of one thing show, the first of each: parameter of the path -> query.
ROWS = {
    "agent_id": AGENT,
    "tool_id": TOOL,
    "execution_id": RUN,
    "job_id": f"SELECT id FROM jobs WHERE kind = 'analyze_agent' AND agent_id = ({AGENT} LIMIT 1)",
    "key_id": "SELECT id FROM api_keys ORDER BY revoked_at IS NULL DESC, id",
    "user_id": "SELECT id FROM users ORDER BY id DESC",
    "webhook_id": "SELECT endpoint_id FROM webhook_deliveries ORDER BY id",
    "delivery_id": "SELECT id FROM webhook_deliveries ORDER BY id",
    "price_id": "SELECT id FROM model_prices ORDER BY id",
    "change_id": "SELECT id FROM bulk_changes ORDER BY id",
    "batch_id": "SELECT id FROM ingest_batches ORDER BY id",
    "import_id": "SELECT id FROM imports ORDER BY id",
    "view_id": "SELECT id FROM saved_views ORDER BY id",
}


async def make_boss(database: Database) -> str:
    """Someone to look at it all, and a token of theirs."""
    async with database.unit_of_work() as session:
        boss = await make_user(session, Role.SUPERUSER, email=BOSS)
        boss.full_name = "Grace Hopper"
        return await make_session_token(session, boss)


async def fill_normally(database: Database, settings: Settings, runs: int) -> None:
    await build(database, settings, runs, 7, lambda said: print(f"\r  {said}", end=""))  # noqa: T201
    async with database.unit_of_work() as session:
        boss = await boss_of(database)
        actor = actor_for(boss)
        await make_api_key(session, boss)
        await make_model_price(session, actor, description="Our own rack in the cellar")
        await make_ingest_batch(session, actor)
        agents = list(await session.scalars(select(Agent.id).limit(5)))
        await make_bulk_change(session, actor, ids=agents)
        await make_import(
            session, actor, *({"name": f"bot-{n}", "model": "gpt-4o"} for n in range(9))
        )
        await make_saved_view(session, actor, name="Failed today", is_shared=True)
        hook = (await make_webhook_endpoint(session, actor, events=["job.failed"])).endpoint
        await make_webhook_delivery(session, actor, hook)


async def fill_hugely(database: Database) -> None:
    """Many of everything, with values as long as they may be."""
    boss = await boss_of(database)
    actor = actor_for(boss)
    long = {"model": "m" * 200, "error_type": "e" * 200, "tags": ["t" * 64, "u" * 64]}
    async with database.unit_of_work() as session:
        for number in range(HUGE):
            name = f"{LONG[:-3]}{number:03}"
            tool = await make_tool(session, actor, name=name, description=WORDS)
            values = {"name": name, "description": WORDS, "tool_ids": [tool.id]}
            agent = await make_agent(
                session, actor, max_tokens=90_000, system_prompt=WORDS, **values
            )
            await make_execution(session, actor, agent, **long)
            (await make_api_key(session, boss))[0].name = name
            (
                await make_user(session, Role.STAFF, email=f"{'e' * 40}{number}@example.com")
            ).full_name = name
            await make_model_price(session, actor, model=f"{'m' * 150}{number}", description=WORDS)
            await make_ingest_batch(session, actor)
        steps = [
            {"name": f"{'s' * 250} {i}", "kind": "tool", "tool_name": LONG} for i in range(1500)
        ]
        data = execution_data(agent, spans=steps, error=WORDS, status="failed", **long)
        await make_execution(session, actor, agent, **data)
        await make_analysis(session, actor, agent)
        url = f"https://example.com/{'w' * 1900}"
        hook = (await make_webhook_endpoint(session, actor, url=url)).endpoint
        await make_webhook_delivery(session, actor, hook)
        rows = [{"name": f"{LONG[:-3]}{i:03}", "description": WORDS} for i in range(HUGE)]
        await make_import(session, actor, *rows)
        filters = {"tag": ["t" * 64], "min_cost": ["5"], "status": ["failed", "running"]}
        await make_saved_view(session, actor, name=LONG, filters=filters)


async def boss_of(database: Database) -> User:
    async with database.unit_of_work() as session:
        return (await session.scalars(select(User).where(User.email == BOSS))).one()


async def ids_in(database: Database) -> Ids:
    """Of the rows to look at, as far as there are any."""
    async with database.unit_of_work() as session:
        found = {name: await session.scalar(text(f"{sql} LIMIT 1")) for name, sql in ROWS.items()}
    return {name: row_id for name, row_id in found.items() if row_id is not None}


async def is_busy(database: Database) -> bool:
    """Whether a worker still has something to count or to do."""
    waiting = text(
        "SELECT EXISTS (SELECT FROM stale_hours WHERE hour < now() - interval '2 hours')"
        " OR EXISTS (SELECT FROM jobs WHERE status IN ('queued', 'running')"
        " AND kind = 'analyze_agent')"
    )
    async with database.unit_of_work() as session:
        return bool(await session.scalar(waiting))
