"""Many requests at once: shared lookups hold no one up, and nothing that ended goes on."""

import asyncio

import pytest

from app.core.database import Database
from app.core.permissions import Role
from app.main import create_app
from app.models import ApiKey, User
from app.schemas.agents import AgentUpdate
from app.services.agents import AgentService
from tests.conftest import actor_for, client_of, settings_for
from tests.factories.agents import make_agent
from tests.factories.api_keys import make_api_key
from tests.factories.users import make_user
from tests.load.bare import app as bare_app
from tests.load.stock import fill

AT_ONCE = 40


def url_of(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=False)


@pytest.mark.parametrize("change", [{"is_active": False}, {"role": Role.MEMBER}])
async def test_more_pulls_at_once_than_connections(
    own_database: Database, change: dict[str, object]
) -> None:
    async with own_database.unit_of_work() as session:
        owner, other = await make_user(session), await make_user(session)
        agent = await make_agent(session, actor_for(owner))
        key, token = await make_api_key(session, other)
    path = f"/api/v1/agents/by-name/{agent.name}/config"
    app = create_app(settings_for(url_of(own_database)), own_database)
    async with client_of(app, headers={"X-API-Key": token}) as client:
        answers = await asyncio.gather(*(client.get(path) for _ in range(AT_ONCE)))
        assert {answer.status_code for answer in answers} == {200}
        async with own_database.unit_of_work() as session:
            row = await session.get_one(User, other.id)
            for name, value in change.items():
                setattr(row, name, value)
            await session.flush()
        answers = await asyncio.gather(*(client.get(path) for _ in range(AT_ONCE)))
        assert {answer.status_code for answer in answers} <= {401, 404}
    async with own_database.unit_of_work() as session:
        assert (await session.get_one(ApiKey, key.id)).last_used_at is not None


async def test_pull_is_never_older_than_the_last_change(own_database: Database) -> None:
    async with own_database.unit_of_work() as session:
        owner = await make_user(session)
        agent = await make_agent(session, actor_for(owner))
        _, token = await make_api_key(session, owner)
    app = create_app(settings_for(url_of(own_database)), own_database)
    path = f"/api/v1/agents/by-name/{agent.name}/config"
    async with client_of(app, headers={"X-API-Key": token}) as client:
        for prompt in ("One.", "Two.", "One."):
            async with own_database.unit_of_work() as session:
                change = AgentUpdate(system_prompt=prompt)
                await AgentService(session, actor_for(owner)).update(agent.id, change)
            assert (await client.get(path)).json()["system_prompt"] == prompt


async def test_bare_app_of_the_load_test_answers_the_same(
    own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock = await fill(own_database)
    monkeypatch.setenv("DATABASE_URL", url_of(own_database))
    ours = create_app(settings_for(url_of(own_database)), own_database)
    paths = (f"/agents/{stock.agent_id}", "/executions?limit=50")
    async with (
        bare_app.router.lifespan_context(bare_app),
        client_of(bare_app) as bare,
        client_of(ours, headers={"X-API-Key": stock.api_key}) as product,
    ):
        agents, runs = [
            ((await product.get(f"/api/v1{path}")).json(), (await bare.get(path)).json())
            for path in paths
        ]
    assert agents[0] == agents[1]
    assert runs[0]["items"] == runs[1]


async def test_session_that_only_looks_refuses_to_change(database: Database) -> None:
    async def change() -> None:
        async with database.looking() as session:
            session.add(User(email="a@example.com", full_name="A", hashed_password="x"))

    with pytest.raises(RuntimeError):
        await change()
