"""Snapshots of agents: made when behaviour changes, compared, and made live again."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload
from sqlalchemy.orm.attributes import set_committed_value

from app.core.actor import Actor
from app.core.permissions import Permission
from app.core.texts import lazy
from app.exceptions import NotFound
from app.models import Agent, AgentRevision
from app.services.audit_events import AuditEventService
from app.services.webhook_events import Change
from app.services.webhook_outbox import note_changes

Snapshot = dict[str, Any]  # JSON
AT_ONCE = 200  # agents: their prompts are in memory together
RESTORED_FIELDS = ("model_name", "system_prompt", "max_tokens", "config")


def snapshot_of(agent: Agent) -> Snapshot:
    """Everything that decides how the agent behaves, its tools with their schemas."""
    tools = [
        {
            "id": tool.id,
            "name": tool.name,
            "description": tool.description,
            "kind": tool.kind.value,
            "parameters": tool.parameters,
            # Left out where there is none, so that what has none keeps its hash.
            **({"endpoint": tool.endpoint} if tool.endpoint else {}),
        }
        for tool in sorted(agent.tools, key=lambda tool: (tool.name, tool.id))
    ]
    return {field: getattr(agent, field) for field in RESTORED_FIELDS} | {"tools": tools}


def content_hash(snapshot: Snapshot) -> bytes:
    return hashlib.sha256(json.dumps(snapshot, sort_keys=True).encode()).digest()


def is_changed(agent: Agent) -> bool:
    """Whether the agent holds something else than its live revision."""
    live = agent.live_revision
    return live is None or live.content_sha256 != content_hash(snapshot_of(agent))


class AgentRevisionService:
    """Reads follow the agent's visibility: callers hand over an agent they may see."""

    resource = "agent_revisions"

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor
        self.audit = AuditEventService(session, actor)

    def of(self, agent: Agent) -> Select[AgentRevision]:
        self.actor.require(Permission.AGENTS_READ)
        return (
            select(AgentRevision)
            .where(AgentRevision.agent_id == agent.id)
            .options(joinedload(AgentRevision.author))
        )

    async def get(self, agent: Agent, number: int) -> AgentRevision:
        revision = await self.session.scalar(self.of(agent).where(AgentRevision.number == number))
        if revision is None:
            raise NotFound(
                lazy("%(agent)s has no revision %(number)s.", agent=agent.name, number=number)
            )
        return revision

    async def list_newest(
        self, agent: Agent, limit: int, before: int | None = None
    ) -> list[AgentRevision]:
        """Newest first; ``before`` is the number to continue from."""
        statement = self.of(agent).order_by(AgentRevision.number.desc()).limit(limit)
        if before is not None:
            statement = statement.where(AgentRevision.number < before)
        return list(await self.session.scalars(statement))

    async def capture_each(self, agent_ids: Sequence[int], note: str | None) -> list[AgentRevision]:
        """Make a revision of each stored agent that has changed, and make it live.

        A few statements for each ``AT_ONCE``.
        """
        made: list[AgentRevision] = []
        for start in range(0, len(agent_ids), AT_ONCE):
            made += await self._capture(agent_ids[start : start + AT_ONCE], note)
        return made

    async def _capture(self, agent_ids: Sequence[int], note: str | None) -> list[AgentRevision]:
        agents = [agent for agent in await self._locked(agent_ids) if is_changed(agent)]
        if not agents:
            return []
        newest = await self._newest_numbers([agent.id for agent in agents])
        made = [(agent, self._revision_of(agent, newest, note)) for agent in agents]
        self.session.add_all(revision for _, revision in made)
        await self.session.flush()  # going live needs the ids of the revisions
        await self.go_live(made)
        return [revision for _, revision in made]

    async def _locked(self, agent_ids: Sequence[int]) -> Sequence[Agent]:
        """In one order for everyone. What hangs on a row is read once it is ours: a join would
        show what hung on it before we waited for it.
        """
        statement = (
            select(Agent)
            .where(Agent.id.in_(agent_ids))
            .order_by(Agent.id)
            .options(selectinload(Agent.tools), selectinload(Agent.live_revision))
            .with_for_update(of=Agent)
            .execution_options(populate_existing=True)
        )
        return (await self.session.scalars(statement)).all()

    def _revision_of(
        self, agent: Agent, newest: Mapping[int, int], note: str | None
    ) -> AgentRevision:
        snapshot = snapshot_of(agent)
        return AgentRevision(
            agent_id=agent.id,
            number=newest.get(agent.id, 0) + 1,
            snapshot=snapshot,
            content_sha256=content_hash(snapshot),
            note=note,
            created_by=self.actor.user_id,
        )

    async def go_live(self, made: Sequence[tuple[Agent, AgentRevision]]) -> None:
        """Point agents at revisions; their own versions count their editors' saves only."""
        live = AgentRevision.id.in_([revision.id for _, revision in made])
        await self.session.execute(
            update(Agent)
            .where(Agent.id == AgentRevision.agent_id, live)
            .values(live_revision_id=AgentRevision.id, updated_at=Agent.updated_at)
            .execution_options(synchronize_session=False)
        )
        told: list[Change] = []
        for agent, revision in made:
            old = agent.live_revision
            set_committed_value(agent, "live_revision_id", revision.id)
            set_committed_value(agent, "live_revision", revision)
            changes = {"live_revision": [old.number if old else None, revision.number]}
            self.audit.record("go_live", "agents", agent, changes, revision.note)
            told.append(Change("agents", "go_live", agent, changes))
        await note_changes(self.session, self.actor, told)

    async def _newest_numbers(self, agent_ids: Sequence[int]) -> dict[int, int]:
        newest = (
            select(func.max(AgentRevision.number))
            .where(AgentRevision.agent_id == Agent.id)
            .scalar_subquery()
        )
        rows = await self.session.execute(select(Agent.id, newest).where(Agent.id.in_(agent_ids)))
        return {agent_id: number or 0 for agent_id, number in rows}
