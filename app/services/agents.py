"""Agents: their rules, their tools, and what a runtime pulls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, Select, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import joinedload, selectinload
from sqlalchemy.sql.base import ExecutableOption

from app.core.permissions import SEES_ALL_ROWS, Permission
from app.core.texts import lazy, mark
from app.core.wording import number
from app.exceptions import Conflict, Invalid, NotFound
from app.models import Agent, AgentRevision, Tool
from app.models.agents import agent_tools
from app.models.base import table_of
from app.schemas.agents import AgentCreate, AgentQuery, AgentRead, AgentUpdate
from app.schemas.base import PageQuery
from app.services.agent_revisions import (
    RESTORED_FIELDS,
    AgentRevisionService,
    content_hash,
    snapshot_of,
)
from app.services.audit_events import Changes
from app.services.base import Columns
from app.services.pausing import PausingService
from app.services.saves import Saved
from app.services.search import matches
from app.services.tools import ToolService

# What may call for a revision; tools may have changed while their agent was in the trash.
REVISED_BY = frozenset({*RESTORED_FIELDS, "tools", "deleted_at"})
SMALL_CONTEXT_MODEL, SMALL_CONTEXT_LIMIT = "gpt-3.5", 4096


@dataclass(frozen=True, slots=True)
class NamedAgent:
    """What tells agents of one name apart, and which revision is live."""

    id: int
    user_id: int
    name: str
    is_active: bool
    live_revision_id: int | None
    number: int | None
    content_sha256: bytes | None
    # Ids of its paused tools, in order, where they were asked for.
    paused_tools: tuple[int, ...] = ()


# Columns of the tables: results of the ORM's attributes are matched anew each time.
AGENT, REVISION, TOOL = table_of(Agent), table_of(AgentRevision), table_of(Tool)
WITH_REVISION = AGENT.outerjoin(REVISION, REVISION.c.id == AGENT.c.live_revision_id)
NAMED: Columns = select(
    AGENT.c.id,
    AGENT.c.user_id,
    AGENT.c.name,
    AGENT.c.is_active,
    AGENT.c.live_revision_id,
    REVISION.c.number,
    REVISION.c.content_sha256,
).select_from(WITH_REVISION)
TOOLS = (
    select(
        func.json_agg(
            aggregate_order_by(func.json_build_array(TOOL.c.id, TOOL.c.name), TOOL.c.name)
        )
    )
    .join(agent_tools, agent_tools.c.tool_id == TOOL.c.id)
    .where(agent_tools.c.agent_id == AGENT.c.id)
    .correlate(AGENT)
    .scalar_subquery()
)
PAUSED_TOOLS = (
    select(func.array_agg(aggregate_order_by(TOOL.c.id, TOOL.c.id)))
    .join(agent_tools, agent_tools.c.tool_id == TOOL.c.id)
    .where(agent_tools.c.agent_id == AGENT.c.id, ~TOOL.c.is_active)
    .correlate(AGENT)
    .scalar_subquery()
)
# All that ``AgentRead`` shows, in one statement.
READ: Columns = select(
    AGENT.c.id,
    AGENT.c.user_id,
    AGENT.c.name,
    AGENT.c.description,
    AGENT.c.model_name,
    AGENT.c.system_prompt,
    AGENT.c.max_tokens,
    AGENT.c.config,
    AGENT.c.is_active,
    AGENT.c.is_draft,
    AGENT.c.tags,
    AGENT.c.row_version,
    AGENT.c.created_at,
    AGENT.c.updated_at,
    REVISION.c.number,
    REVISION.c.created_at.label("revised_at"),
    TOOLS.label("tools"),
).select_from(WITH_REVISION)


def read_from(row: RowMapping) -> AgentRead:
    """A row of ``READ`` as it is answered."""
    live = {"number": row["number"], "created_at": row["revised_at"]}
    tools = [{"id": tool_id, "name": name} for tool_id, name in row["tools"] or ()]
    relations = {"live_revision": None if row["number"] is None else live, "tools": tools}
    return AgentRead.model_validate(dict(row) | relations)


def owner_of(agent: Agent) -> int | None:
    """The id of its owner, where that person sees no rows but their own; a new one is the actor's,
    who is asked what they see anyway.
    """
    if agent.id is None or agent.user.role in SEES_ALL_ROWS:
        return None
    return agent.user_id


def needs_tools(names: str) -> Conflict:
    return Conflict(
        lazy("It uses tools that are in the trash (%(names)s). Restore them first.", names=names)
    )


def only_one(name: str, agents: Sequence[NamedAgent]) -> NamedAgent:
    """Raise ``NotFound`` for none, ``Conflict`` for several."""
    if not agents:
        raise NotFound(lazy("There is no agent called %(name)s.", name=name))
    if len(agents) > 1:
        ids = ", ".join(str(agent.id) for agent in agents)
        raise Conflict(
            lazy(
                "Several agents are called %(name)s (ids %(ids)s). Use a key "
                "of the owner, or one limited to the agent.",
                name=name,
                ids=ids,
            ),
            field="name",
        )
    return agents[0]


class AgentService(PausingService[Agent, AgentCreate, AgentUpdate]):
    model = Agent
    resource = "agents"
    is_live = True
    noun = mark("agent")
    readable = Permission.AGENTS_READ
    writable = Permission.AGENTS_WRITE
    deletable = Permission.AGENTS_DELETE
    belongs_to_agent = True
    sorts = ("created_at", "updated_at", "name")
    default_sort = "name"
    filters = ("model_name", "is_active", "is_draft", "name", "user_id")
    conflicts = {  # noqa: RUF012  (declared as a class variable in the base)
        "uq_agents_user_id_name_live": ("name", "You already have an agent called {row.name}.")
    }
    # Tools that were looked up for several agents together, by id.
    _offered: Mapping[int, Tool] | None = None

    def loads(self) -> Sequence[ExecutableOption]:
        return (
            selectinload(Agent.tools),
            joinedload(Agent.live_revision).defer(AgentRevision.snapshot),
            joinedload(Agent.user),
        )

    def limited_to_agent(self, statement: Any) -> Any:  # a Select of rows or columns, as the base's
        only = self.actor.only_agent_id
        return statement if only is None else statement.where(Agent.id == only)

    async def check(self, row: Agent) -> None:
        """Contract B3. Raises ``Invalid`` naming the field."""
        if SMALL_CONTEXT_MODEL in row.model_name.lower() and row.max_tokens > SMALL_CONTEXT_LIMIT:
            raise Invalid(
                lazy(
                    "%(small_context_model)s models allow at most %(small_context_limit)s tokens.",
                    small_context_model=SMALL_CONTEXT_MODEL,
                    small_context_limit=SMALL_CONTEXT_LIMIT,
                ),
                field="max_tokens",
            )
        if len(row.system_prompt) > row.max_tokens:
            raise Invalid(
                lazy(
                    "The system prompt has %(count)s characters; with "
                    "max_tokens %(max_tokens)s it may have at most that many.",
                    count=number(len(row.system_prompt)),
                    max_tokens=number(row.max_tokens),
                ),
                field="system_prompt",
            )

    async def values_for(self, data: AgentCreate | AgentUpdate) -> dict[str, Any]:
        """Who describes a draft makes it an agent like any other; a tag is no description."""
        is_described = isinstance(data, AgentUpdate) and bool(data.model_fields_set - {"tags"})
        described = {"is_draft": False} if is_described else {}
        return await super().values_for(data) | described

    def matching(self, query: PageQuery) -> Select[Agent]:
        statement = super().matching(query)
        tag = query.tag if isinstance(query, AgentQuery) else None
        return statement if tag is None else statement.where(Agent.tags.contains([tag]))

    async def before_each(self, items: Sequence[AgentCreate | AgentUpdate]) -> None:
        """Tools that several agents get are looked up, and kept as they are, once for all."""
        self._offered = None
        if len(items) > 1:
            ids = {tool_id for item in items for tool_id in item.tool_ids or ()}
            self._offered = await ToolService(self.session, self.actor).kept(ids)

    async def extra_changes(self, row: Agent, values: dict[str, Any]) -> Changes:
        tool_ids = values.pop("tool_ids", None)
        if tool_ids is None:
            return {}
        is_new = row.id is None
        old = [] if is_new else sorted(tool.name for tool in row.tools)
        row.tools = await self._tools(row, tool_ids)
        new = sorted(tool.name for tool in row.tools)
        return {} if old == new else {"tools": [old, new]}

    async def _tools(self, agent: Agent, tool_ids: Sequence[int]) -> list[Tool]:
        """What the agent has may stay; what it gets must be there for its owner, too.

        Or someone could not save their own agent, or change how another's behaves. Raises
        ``Invalid``.
        """
        had = [] if agent.id is None else agent.tools
        kept = [tool for tool in had if tool.id in tool_ids and tool.deleted_at is None]
        new = set(tool_ids) - {tool.id for tool in kept}
        tools = ToolService(self.session, self.actor)
        given = await tools.to_give(new, owner_of(agent), self._offered)
        return sorted(kept + given, key=lambda tool: tool.name)

    async def tool_choices(self, agent: Agent | None) -> list[Tool]:
        """What the agent has or can be given, by name; of a new one what this person can give."""
        tools = ToolService(self.session, self.actor)
        if agent is None:
            return await tools.choices()
        found = {tool.id: tool for tool in await tools.choices(owner_of(agent))}
        found |= {tool.id: tool for tool in agent.tools}
        return sorted(found.values(), key=lambda tool: (tool.name, tool.id))

    async def written_each(self, saves: Sequence[Saved[Agent]]) -> None:
        """What behaves otherwise gets a new revision, which is live at once."""
        revised: dict[str | None, list[int]] = {}
        for one in saves:
            if REVISED_BY & one.changes.keys():
                revised.setdefault(one.note, []).append(one.row.id)
        revisions = AgentRevisionService(self.session, self.actor)
        for note, agent_ids in revised.items():
            await revisions.capture_each(agent_ids, note)

    async def set_tool(self, agent_id: int, tool_id: int, *, present: bool) -> Agent:
        """Give the agent a tool, or take it away; doing so twice changes nothing."""
        agent = await self.get(agent_id, lock=True)
        kept = {tool.id for tool in agent.tools} - {tool_id}
        wanted = sorted(kept | {tool_id}) if present else sorted(kept)
        return await self.update(agent_id, AgentUpdate(tool_ids=wanted))

    async def restore(self, row_id: int) -> Agent:
        """Raise ``Conflict`` also when a tool of it is in the trash, where no agent may use it."""
        self.require(self.deletable)
        agent = await self.get(row_id, trashed=True)
        tools = await ToolService(self.session, self.actor).hold([t.id for t in agent.tools])
        gone = ", ".join(tool.name for tool in tools if tool.deleted_at is not None)
        if gone:
            raise needs_tools(gone)
        return await super().restore(row_id)

    async def restore_revision(
        self, agent_id: int, number: int, note: str | None = None, version: int | None = None
    ) -> Agent:
        """Make the agent what it was at a revision, and that revision live.

        Raise ``Conflict`` when one of its tools is gone. Where a tool has changed since, the
        result is a new revision, so that what is live is always what the agent holds.
        """
        self.actor.require(self.writable)
        agent = await self.get(agent_id, lock=True)
        self.check_version(agent, version)
        revisions = AgentRevisionService(self.session, self.actor)
        revision = await revisions.get(agent, number)
        old_tools = sorted(tool.name for tool in agent.tools)
        await self._apply(agent, revision)
        new_tools = sorted(tool.name for tool in agent.tools)
        extra = {} if old_tools == new_tools else {"tools": [old_tools, new_tools]}
        await self._go_live_if_same(agent, revision)
        await self.save("restore_revision", agent, extra, note or f"Restored revision {number}")
        return agent

    async def _go_live_if_same(self, agent: Agent, revision: AgentRevision) -> None:
        """Going live first keeps a save from making a revision of the same content."""
        unchanged = content_hash(snapshot_of(agent)) == revision.content_sha256
        if unchanged and agent.live_revision_id != revision.id:
            await AgentRevisionService(self.session, self.actor).go_live([(agent, revision)])

    async def go_back_to(self, agent: Agent, number: int) -> None:
        """Put the revision live again where the agent, about to be saved, is what it was then."""
        revision = await AgentRevisionService(self.session, self.actor).get(agent, number)
        await self._go_live_if_same(agent, revision)

    async def _apply(self, agent: Agent, revision: AgentRevision) -> None:
        wanted = {tool["id"]: tool["name"] for tool in revision.snapshot["tools"]}
        try:
            agent.tools = await self._tools(agent, list(wanted))
        except Invalid as error:
            names = ", ".join(sorted(wanted.values()))
            raise Conflict(
                lazy(
                    "Revision %(number)s uses tools that are no longer here "
                    "(%(names)s). Restore them from the trash first.",
                    number=revision.number,
                    names=names,
                )
            ) from error
        for field in RESTORED_FIELDS:
            setattr(agent, field, revision.snapshot[field])

    async def read(self, agent_id: int) -> AgentRead:
        """The agent as it is answered. Raise ``NotFound`` as ``get`` does."""
        statement = self.visible_in(READ).where(Agent.id == agent_id)
        connection = await self.session.connection()
        row = (await connection.execute(statement)).mappings().one_or_none()
        if row is None:
            raise NotFound(lazy("There is no such %(noun)s.", noun=lazy(self.noun)))
        return read_from(row)

    def named(self, name: str) -> Columns:
        """The columns of ``NamedAgent`` for the visible agents of that name."""
        return self._by_name(self.visible_in(NAMED.add_columns(PAUSED_TOOLS)), name)

    async def find_for_report(
        self, *, agent_id: int | None = None, name: str | None = None
    ) -> NamedAgent | None:
        """The agent that a run is reported for; who may report need not read agents."""
        statement = NAMED.where(Agent.deleted_at.is_(None))
        if not self.actor.sees_all_rows:
            statement = statement.where(Agent.user_id == self.actor.user_id)
        statement = self.limited_to_agent(statement)
        if agent_id is not None:
            statement = statement.where(Agent.id == agent_id)
        else:
            statement = self._by_name(statement, name or "")
        connection = await self.session.connection()
        agents = [NamedAgent(*row) for row in await connection.execute(statement)]
        own = [agent for agent in agents if agent.user_id == self.actor.user_id]
        return only_one(name or "", own or agents) if agents else None

    def _by_name(self, statement: Columns, name: str) -> Columns:
        """A few of that name, one's own among them whatever their number."""
        own_first = (Agent.user_id == self.actor.user_id).desc()
        return statement.where(Agent.name == name).order_by(own_first, Agent.id).limit(3)

    async def names(
        self, limit: int = 500, find: str | None = None, ids: Sequence[int] = ()
    ) -> list[tuple[int, str]]:
        """Ids and names to choose from: the agents of ``ids``, and those that ``find`` finds."""
        statement = self.visible().with_only_columns(Agent.id, Agent.name)
        some = statement.order_by(Agent.name, Agent.id).limit(limit)
        found = await self.session.execute(
            some.where(matches(Agent.search, find)) if find else some
        )
        names = {row[0]: row[1] for row in found}
        if set(ids) - names.keys():
            chosen = await self.session.execute(statement.where(Agent.id.in_(ids)))
            names |= {row[0]: row[1] for row in chosen}
        return sorted(names.items(), key=lambda each: (each[1], each[0]))

    async def models_in_use(self, limit: int = 100) -> list[str]:
        """Model names to filter by."""
        statement = self.visible().with_only_columns(Agent.model_name).distinct()
        return sorted(await self.session.scalars(statement.order_by(None).limit(limit)))
