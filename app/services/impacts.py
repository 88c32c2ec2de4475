"""What a pause stops, said before it is done."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import Agent, ApiKey, ConfigPull, Execution, Tool
from app.models.executions import OPEN_STATUSES
from app.services.config_pulls import ConfigPullService
from app.services.executions import ExecutionService
from app.services.tools import ToolService

MOST_COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class Impact:
    """``running`` counts open runs, ``MOST_COUNTED`` at the most; ``pulls`` are runtimes."""

    running: int
    pulls: Sequence[ConfigPull]
    agents: Sequence[Agent] = ()


class ImpactService:
    """Callers hand over what they may see."""

    resource = "impacts"

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor
        self._pulls = ConfigPullService(session, actor)

    async def of(self, row: Agent | Tool | ApiKey) -> Impact:
        match row:
            case Agent():
                return await self.of_agent(row)
            case Tool():
                return await self.of_tool(row)
            case ApiKey():
                return await self.of_key(row)

    async def of_agent(self, agent: Agent) -> Impact:
        running = await self._running(Execution.agent_id == agent.id)
        return Impact(running, await self._pulls.of_agents([agent.id]))

    async def of_tool(self, tool: Tool) -> Impact:
        """Its agents, and what runs and pulls them."""
        agents = await ToolService(self.session, self.actor).agents_using(tool)
        ids = [agent.id for agent in agents]
        running = await self._running(Execution.agent_id.in_(ids))
        return Impact(running, await self._pulls.of_agents(ids), agents)

    async def of_key(self, key: ApiKey) -> Impact:
        running = await self._running(Execution.reported_by_key_id == key.id)
        return Impact(running, await self._pulls.of_key(key))

    async def _running(self, rule: ColumnElement[bool]) -> int:
        runs = ExecutionService(self.session, self.actor).visible()
        # Few runs are open at a time: those that fall silent are marked as stalled.
        is_open = Execution.status.in_(OPEN_STATUSES)
        bounded = runs.where(is_open, rule).with_only_columns(Execution.id).limit(MOST_COUNTED)
        return await self.session.scalar(select(func.count()).select_from(bounded.subquery())) or 0
