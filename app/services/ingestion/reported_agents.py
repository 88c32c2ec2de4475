"""Which agent a trace belongs to: one that is registered, or a draft made for it."""

import re
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.database import memories_of
from app.core.permissions import Permission
from app.core.remembered import always
from app.exceptions import Conflict
from app.models import Agent, AgentRevision
from app.schemas.agents import AgentCreate, AgentUpdate
from app.services.agents import AgentService, NamedAgent
from app.services.ingestion.facts import AgentFacts

AGENT_TABLES = frozenset({"agents", "users"})
MAX_DRAFTS = 1_000
MAX_NAME, MIN_NAME = 100, 3
UNKNOWN_SERVICE = "unknown_service"
UNNAMED = "unnamed-agent"
UNKNOWN_MODEL = "unknown"
DRAFTED = "drafted_agents"
DRAFT_NOTE = "Made because runs of it arrived by OpenTelemetry."


@dataclass(frozen=True, slots=True)
class Home:
    """Where a run goes."""

    agent_id: int
    revision_id: int | None


def slug(text: str) -> str:
    """The nearest thing that may be the name of an agent."""
    plain = re.sub(r"[^a-z0-9_-]+", "-", text[: 4 * MAX_NAME].lower()).strip("-")[:MAX_NAME]
    return plain if len(plain) >= MIN_NAME else f"agent-{plain}".rstrip("-")


def name_of(facts: AgentFacts) -> str:
    """What the trace calls its agent: by name, else by its service, else by the id it gives."""
    service = facts.service_name or ""
    if service.startswith(UNKNOWN_SERVICE):
        service = ""
    return slug(facts.name or service or facts.id or UNNAMED)


class Drafts(AgentService):
    """Agents that nobody has described yet."""

    async def values_for(self, data: AgentCreate | AgentUpdate) -> dict[str, Any]:
        return await super().values_for(data) | {"is_draft": True}


class ReportedAgents:
    """Finds and drafts agents under the owner of what reports."""

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor
        self._agents = AgentService(session, actor)
        self._memory = memories_of(session).of("reported_agents", AGENT_TABLES)
        # By id and name, those drafted here too: a batch has many runs of few agents.
        self._found: dict[tuple[int | None, str | None], NamedAgent] = {}

    async def home_of(self, facts: AgentFacts, model_name: str | None) -> Home:
        """Raise ``Conflict`` when there is none and none can be made."""
        agent = await self._agent_of(facts, model_name)
        revision_id = agent.live_revision_id
        said = facts.version if facts.greenroom_id else None
        if said and said.isascii() and said.isdigit() and len(said) < 10:
            revision_id = await self._revision(agent.id, int(said)) or revision_id
        return Home(agent.id, revision_id)

    async def _agent_of(self, facts: AgentFacts, model_name: str | None) -> NamedAgent:
        if self.actor.only_agent_id is not None:
            found = await self._find(agent_id=self.actor.only_agent_id)
            if found is None:
                raise Conflict("The agent of this key is in the trash.")
            return found
        said = facts.greenroom_id or ""
        if said:
            by_id = said.isascii() and said.isdigit() and len(said) < 19
            if by_id:
                found = await self._find(agent_id=int(said))
            else:
                found = await self._find(name=slug(said))
            if found is not None:
                return found
        name = slug(said) if said else name_of(facts)
        return await self._find(name=name) or await self._draft(name, facts, model_name)

    async def _find(
        self, *, agent_id: int | None = None, name: str | None = None
    ) -> NamedAgent | None:
        asked = (agent_id, name)
        key = (self.actor.user_id, self.actor.role, self.actor.only_agent_id, *asked)
        known: NamedAgent | None = self._found.get(asked) or self._memory.get(key)
        if known is not None:
            return known

        async def read() -> NamedAgent | None:
            return await self._agents.find_for_report(agent_id=agent_id, name=name)

        # A draft of this transaction must not be remembered: it may yet be rolled back.
        is_drafted = self.session.info.get(DRAFTED)
        found = await (read() if is_drafted else self._memory.read(key, read, always))
        if found is not None:
            self._found[asked] = found
        return found

    async def _draft(self, name: str, facts: AgentFacts, model_name: str | None) -> NamedAgent:
        """An agent that waits for somebody to say what it is."""
        drafts = select(func.count()).where(
            Agent.user_id == self.actor.user_id, Agent.is_draft, Agent.deleted_at.is_(None)
        )
        if (await self.session.scalar(drafts) or 0) >= MAX_DRAFTS:
            raise Conflict(
                f"There are {MAX_DRAFTS:,} drafts of agents already. Name an agent that exists."
            )
        may_write = self.actor.permissions | {Permission.AGENTS_WRITE, Permission.AGENTS_READ}
        self.session.info[DRAFTED] = True
        drafts_of = Drafts(self.session, replace(self.actor, permissions=may_write))
        agent = await drafts_of.create(
            AgentCreate(
                name=name,
                model_name=model_name or UNKNOWN_MODEL,
                description=facts.description,
                note=DRAFT_NOTE,
            )
        )
        revision = agent.live_revision
        named = NamedAgent(
            agent.id,
            agent.user_id,
            agent.name,
            True,
            agent.live_revision_id,
            None if revision is None else revision.number,
            None if revision is None else revision.content_sha256,
        )
        self._found[None, name] = named
        return named

    async def _revision(self, agent_id: int, number: int) -> int | None:
        key = ("revision", agent_id, number)
        known: int | None = self._memory.get(key)
        if known is not None:
            return known
        statement = select(AgentRevision.id).where(
            AgentRevision.agent_id == agent_id, AgentRevision.number == number
        )
        found: int | None = await self._memory.read(
            key, lambda: self.session.scalar(statement), always
        )
        return found
