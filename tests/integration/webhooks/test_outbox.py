"""Where nobody wants to know, nothing is asked; who asks is told from then on, in every process."""

import asyncio
from dataclasses import dataclass, field

import pytest
from sqlalchemy import event, func, select

from app.core.actor import Actor
from app.core.database import Database
from app.core.permissions import Role
from app.models import Agent, WebhookDelivery, WebhookEvent
from app.models.executions import ExecutionStatus
from app.schemas.agents import AgentUpdate
from app.schemas.executions import ExecutionUpdate
from app.schemas.webhook_endpoints import WebhookEndpointUpdate
from app.services.agents import AgentService
from app.services.api_keys import ApiKeyService
from app.services.executions import ExecutionService
from app.services.live_events import EventListener
from app.services.tools import ToolService
from app.services.webhook_endpoints import WebhookEndpointService
from app.services.webhook_events import DESCRIPTIONS, Change, events_of
from tests.conftest import actor_for, settings_for
from tests.factories.agents import make_agent
from tests.factories.api_keys import make_api_key
from tests.factories.executions import make_execution
from tests.factories.tools import make_tool
from tests.factories.users import make_user
from tests.factories.webhook_endpoints import SETTINGS, make_webhook_endpoint


@dataclass
class Process:
    """A database as one web process sees it: it hears of changes, and counts what it asks."""

    database: Database
    actor: Actor
    agent: Agent
    asked: list[str] = field(default_factory=list)

    async def report(self, **values: object) -> list[str]:
        """Store a run; the statements about webhooks that it took."""
        self.asked.clear()
        async with self.database.unit_of_work() as session:
            await make_execution(session, self.actor, self.agent, **values)
        return [sql for sql in self.asked if "webhook" in sql]

    def note(self, _c: object, _cur: object, statement: str, *_: object) -> None:
        self.asked.append(statement)


async def test_report_asks_nothing_of_webhooks_while_none_wants_it(own_database: Database) -> None:
    url = own_database.engine.url.render_as_string(hide_password=False)
    async with own_database.unit_of_work() as session:
        actor = actor_for(await make_user(session, Role.SUPERUSER))
        agent = await make_agent(session, actor)
    database = Database.from_settings(settings_for(url))
    process, listener = Process(database, actor, agent), EventListener(database)
    event.listen(database.engine.sync_engine, "before_cursor_execute", process.note)
    listener.start()
    while not listener.is_connected:  # noqa: ASYNC110  (a flag of another task)
        await asyncio.sleep(0.01)
    try:
        await process.report()
        assert await process.report() == []
        async with own_database.unit_of_work() as session:  # as another process would
            hook = (await make_webhook_endpoint(session, actor)).endpoint
        for _ in range(200):
            await process.report()
            async with own_database.looking() as session:
                if await session.scalar(select(func.count(WebhookDelivery.id))):
                    break
            await asyncio.sleep(0.02)
        async with own_database.looking() as session:
            row = (await session.scalars(select(WebhookDelivery))).first()
        assert row is not None
        assert row.endpoint_id == hook.id
        assert row.job_id is not None
    finally:
        await listener.stop()
        await database.dispose()


async def types_of(database: Database) -> list[str]:
    async with database.looking() as session:
        statement = select(WebhookDelivery.event_type).order_by(WebhookDelivery.id)
        return list(await session.scalars(statement))


async def test_each_change_is_told_once_by_its_name(own_database: Database) -> None:
    async with own_database.unit_of_work() as session:
        actor = actor_for(await make_user(session, Role.SUPERUSER))
        await make_webhook_endpoint(session, actor)
    async with own_database.unit_of_work() as session:
        agent = await make_agent(session, actor)
        run = await make_execution(session, actor, agent, status="running", ended_at=None)
        await make_execution(session, actor, agent, source="import")
    assert await types_of(own_database) == ["agent.created"], (
        "what runs, or is imported, is no news"
    )
    async with own_database.unit_of_work() as session:
        agents, runs = AgentService(session, actor), ExecutionService(session, actor)
        await agents.update(agent.id, AgentUpdate(description="Only words."))
        await agents.update(agent.id, AgentUpdate(system_prompt="Be brief."))
        await runs.update(run.id, ExecutionUpdate(status=ExecutionStatus.FAILED))
        await runs.update(run.id, ExecutionUpdate(tags=["seen"]))
    assert (await types_of(own_database))[1:] == [
        "agent.updated",
        "execution.finished",
        "execution.failed",
    ]


async def test_pauses_are_told_of(own_database: Database) -> None:
    async with own_database.unit_of_work() as session:
        actor = actor_for(user := await make_user(session, Role.SUPERUSER))
        agent, tool = await make_agent(session, actor), await make_tool(session, actor)
        key, _ = await make_api_key(session, user)
        await make_webhook_endpoint(session, actor)
    async with own_database.unit_of_work() as session:
        for service, row_id in (
            (AgentService(session, actor), agent.id),
            (ToolService(session, actor), tool.id),
            (ApiKeyService(session, actor), key.id),
        ):
            await service.pause(row_id)
            await service.pause(row_id)  # which changes nothing
            await service.resume(row_id)
        await ApiKeyService(session, actor).revoke(key.id)
    assert await types_of(own_database) == [
        "agent.paused",
        "agent.resumed",
        "tool.paused",
        "tool.resumed",
        "key.paused",
        "key.resumed",
        "key.revoked",
    ]


async def test_endpoint_in_the_trash_or_switched_off_is_not_told(own_database: Database) -> None:
    async with own_database.unit_of_work() as session:
        actor = actor_for(await make_user(session, Role.SUPERUSER))
        hooks = [(await make_webhook_endpoint(session, actor)).endpoint for _ in range(2)]
        endpoints = WebhookEndpointService(session, actor, SETTINGS)
        await endpoints.delete(hooks[0].id)
        await endpoints.update(hooks[1].id, WebhookEndpointUpdate(is_active=False))
    async with own_database.unit_of_work() as session:
        await make_agent(session, actor)
    assert await types_of(own_database) == []


@pytest.mark.parametrize("resource", ["users", "staff_sessions", "webhook_endpoints"])
def test_resource_without_a_rule_is_told_of_to_nobody(resource: str) -> None:
    assert events_of(Change(resource, "create", None, {})) == ()


def test_every_event_is_described() -> None:
    assert set(DESCRIPTIONS) == set(WebhookEvent)
