"""What belongs to the demo: all that is owned by people at ``demo.example``, and its end."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Select, delete, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import Permission
from app.core.texts import lazy
from app.exceptions import Conflict
from app.models import (
    Agent,
    AgentRevision,
    ApiKey,
    Execution,
    Job,
    SpanBody,
    Tool,
    User,
    WebhookEndpoint,
)
from app.models.agents import agent_tools
from app.services.audit_events import AuditEventService

# A name that can never be somebody's (RFC 2606), so no real person is taken for one of the demo.
DOMAIN = "demo.example"
PEOPLE = select(User.id).where(User.email.endswith(f"@{DOMAIN}", autoescape=True))
AGENTS = select(Agent.id).where(Agent.user_id.in_(PEOPLE))
SHOWN = 5
Progress = Callable[[str], None]
Names = Select[*tuple[Any, ...]]  # of any one column


class DemoService:
    """Removes for good, which nothing else does: there is nothing in it that anybody could miss."""

    resource = "demo"

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor
        self.audit = AuditEventService(session, actor)

    async def is_there(self) -> bool:
        """Also what is left of one that was not finished."""
        return bool(await self.session.scalar(select(PEOPLE.exists())))

    async def remove(self, tell: Progress = lambda _: None) -> dict[str, int]:
        """How many of each kind are gone.

        Raise ``Conflict`` while something that is not of the demo uses something of it.
        """
        self.actor.require(Permission.SETTINGS_MANAGE)
        await self._refuse_while_used()
        removed = {"runs": 0, "agents": 0}
        for agent_id in list(await self.session.scalars(AGENTS.order_by(Agent.id))):
            removed["runs"] += await self._remove_agent(agent_id)
            removed["agents"] += 1
            tell(f"{removed['agents']} agents and {removed['runs']:,} runs are gone")
        for kind, model in (("jobs", Job), ("webhooks", WebhookEndpoint), ("keys", ApiKey)):
            removed[kind] = await self._delete(model, model.user_id.in_(PEOPLE))
        removed["tools"] = await self._delete(Tool, Tool.user_id.in_(PEOPLE))
        removed["people"] = await self._delete(User, User.id.in_(PEOPLE))
        changes = {kind: [count, 0] for kind, count in removed.items() if count}
        if changes:
            self.audit.record("remove", self.resource, None, changes)
        return removed

    async def _remove_agent(self, agent_id: int) -> int:
        """Its rows go with it, but for the bodies of steps, which nothing refers to."""
        runs = select(Execution.stored_trace_id).where(Execution.agent_id == agent_id)
        await self._delete(SpanBody, SpanBody.trace_id.in_(runs))
        count = await self._delete(Execution, Execution.agent_id == agent_id)
        await self._delete(Agent, Agent.id == agent_id)
        return count

    async def _delete(self, model: Any, which: Any) -> int:  # a mapped class, and a condition
        options = {"synchronize_session": False}
        result: Any = await self.session.execute(
            delete(model).where(which), execution_options=options
        )
        return int(result.rowcount)

    async def _refuse_while_used(self) -> None:
        """What others have made with it would change or go with it."""
        uses = [
            text.format(", ".join(names))
            for text, statement in USES
            if (names := list(await self.session.scalars(statement.limit(SHOWN))))
        ]
        if uses:
            raise Conflict(
                lazy(
                    "Something of yours uses the demo, so nothing is removed. %(uses)s",
                    uses=" ".join(uses),
                )
            )


STRANGERS_AGENT = Agent.user_id.not_in(PEOPLE)
USES: tuple[tuple[str, Names], ...] = (
    (
        "Take its tools from these agents, also in the trash: {}.",
        select(Agent.name).where(
            STRANGERS_AGENT,
            exists()
            .where(agent_tools.c.agent_id == Agent.id, agent_tools.c.tool_id == Tool.id)
            .where(Tool.user_id.in_(PEOPLE)),
        ),
    ),
    (
        "These API keys are limited to its agents; they would be gone: {}.",
        select(ApiKey.name).where(ApiKey.user_id.not_in(PEOPLE), ApiKey.agent_id.in_(AGENTS)),
    ),
    (
        "People of the demo have changed these agents: {}.",
        select(func.distinct(Agent.name)).where(
            STRANGERS_AGENT,
            exists().where(
                AgentRevision.agent_id == Agent.id, AgentRevision.created_by.in_(PEOPLE)
            ),
        ),
    ),
)
