"""Snapshots of agents: made when behaviour changes, compared, and made live again."""

import hashlib
import json
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload
from sqlalchemy.orm.attributes import set_committed_value

from app.core.actor import Actor
from app.core.permissions import Permission
from app.exceptions import NotFound
from app.models import Agent, AgentRevision
from app.services.audit_events import AuditEventService
from app.services.webhook_events import Change
from app.services.webhook_outbox import note_change

Snapshot = dict[str, Any]  # JSON
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
            raise NotFound(f"{agent.name} has no revision {number}.")
        return revision

    async def list_newest(
        self, agent: Agent, limit: int, before: int | None = None
    ) -> list[AgentRevision]:
        """Newest first; ``before`` is the number to continue from."""
        statement = self.of(agent).order_by(AgentRevision.number.desc()).limit(limit)
        if before is not None:
            statement = statement.where(AgentRevision.number < before)
        return list(await self.session.scalars(statement))

    async def capture(self, agent_id: int, note: str | None) -> AgentRevision | None:
        """Make a revision of the stored agent and make it live; ``None`` when nothing changed."""
        agent = await self.session.scalar(
            select(Agent)
            .where(Agent.id == agent_id)
            .options(selectinload(Agent.tools), joinedload(Agent.live_revision))
            .with_for_update(of=Agent)
            .execution_options(populate_existing=True)
        )
        if agent is None:
            return None
        snapshot = snapshot_of(agent)
        digest = content_hash(snapshot)
        live = agent.live_revision
        if live is not None and live.content_sha256 == digest:
            return None
        revision = AgentRevision(
            agent_id=agent.id,
            number=await self._next_number(agent.id),
            snapshot=snapshot,
            content_sha256=digest,
            note=note,
            created_by=self.actor.user_id,
        )
        self.session.add(revision)
        await self.session.flush()  # going live needs the revision's id
        await self.go_live(agent, revision)
        return revision

    async def go_live(self, agent: Agent, revision: AgentRevision) -> None:
        """Point the agent at the revision; its own version counts its editors' saves only."""
        old = agent.live_revision
        await self.session.execute(
            update(Agent)
            .where(Agent.id == agent.id)
            .values(live_revision_id=revision.id, updated_at=Agent.updated_at)
            .execution_options(synchronize_session=False)
        )
        set_committed_value(agent, "live_revision_id", revision.id)
        set_committed_value(agent, "live_revision", revision)
        changes = {"live_revision": [old.number if old else None, revision.number]}
        self.audit.record("go_live", "agents", agent, changes, revision.note)
        change = Change("agents", "go_live", agent, changes)
        await note_change(self.session, self.actor, change)

    async def _next_number(self, agent_id: int) -> int:
        newest = (
            select(AgentRevision.number)
            .where(AgentRevision.agent_id == agent_id)
            .order_by(AgentRevision.number.desc())
            .limit(1)
        )
        return (await self.session.scalar(newest) or 0) + 1
