"""Tools: their rules, and what a change of one means for the agents that use it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Select, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.config import Settings
from app.core.permissions import Permission
from app.core.texts import lazy, lazy_count, mark
from app.exceptions import Conflict, Invalid
from app.models import Agent, Tool, agent_tools
from app.models.base import JsonObject
from app.models.tools import ToolKind
from app.schemas.tools import ToolCreate, ToolUpdate
from app.services.agent_revisions import AgentRevisionService
from app.services.audit_events import Changes
from app.services.pausing import PausingService
from app.services.reachable import check_callable

BEHAVIOUR_FIELDS = frozenset({"name", "description", "kind", "parameters", "endpoint"})


def origin_of(endpoint: JsonObject) -> tuple[str, str]:
    """Scheme and server; neither has placeholders."""
    parts = urlsplit(endpoint["url"])
    return parts.scheme.lower(), parts.netloc.lower()


def same_origin(one: JsonObject | None, other: JsonObject | None) -> bool:
    return one is not None and other is not None and origin_of(one) == origin_of(other)


def in_use(agents: int) -> Conflict:
    return Conflict(
        lazy_count(
            "%(num)s agent uses this tool. Take it from them before you trash it.",
            "%(num)s agents use this tool. Take it from them before you trash it.",
            agents,
        )
    )


def unchanged(statement: Select[Tool]) -> Select[Tool]:
    """Nobody changes or trashes these rows before the transaction ends; they are read afresh."""
    locked = statement.with_for_update(read=True, of=Tool)
    return locked.execution_options(populate_existing=True)


class ToolService(PausingService[Tool, ToolCreate, ToolUpdate]):
    model = Tool
    resource = "tools"
    is_live = True
    noun = mark("tool")
    readable = Permission.TOOLS_READ
    writable = Permission.TOOLS_WRITE
    deletable = Permission.TOOLS_DELETE
    sorts = ("created_at", "updated_at", "name")
    default_sort = "name"
    filters = ("kind", "is_active", "name", "user_id")
    conflicts = {  # noqa: RUF012  (declared as a class variable in the base)
        "uq_tools_user_id_name_live": ("name", "You already have a tool called {row.name}.")
    }

    def __init__(
        self, session: AsyncSession, actor: Actor, settings: Settings | None = None
    ) -> None:
        """Without settings tools are read, but endpoints are not held against the networks."""
        super().__init__(session, actor)
        self._settings = settings

    async def values_for(self, data: ToolCreate | ToolUpdate) -> dict[str, Any]:
        values = await super().values_for(data)
        if values.get("endpoint") is not None:
            values["endpoint"] = values["endpoint"].model_dump(mode="json")
        return values

    async def check(self, row: Tool) -> None:
        """Raise ``Invalid`` for an endpoint where nothing would be called."""
        if row.endpoint is not None and row.kind is not ToolKind.HTTP:
            raise Invalid(lazy("Only tools of kind http have an endpoint."), field="endpoint")
        new, _, old = inspect(row).attrs.endpoint.history
        if row.endpoint is not None and new and self._settings is not None:
            check_callable(row.endpoint["url"], self._settings, field="endpoint")
        if row.header_names and old and not same_origin(old[0], row.endpoint):
            # Secrets go to the server that they were entered for, and to no other.
            row.header_names, row.sealed_headers = [], None

    def limited_to_agent(self, statement: Select[Tool]) -> Select[Tool]:
        """A key of one agent reads the tools that this agent may call."""
        only = self.actor.only_agent_id
        if only is None:
            return statement
        its_own = select(agent_tools.c.tool_id).where(agent_tools.c.agent_id == only)
        return statement.where(Tool.id.in_(its_own))

    async def by_ids(self, tool_ids: Sequence[int]) -> list[Tool]:
        """The tools in the order of their names. Raise ``Invalid`` naming ids that are missing."""
        if not tool_ids:
            return []
        statement = self.visible().where(Tool.id.in_(tool_ids)).order_by(Tool.name)
        tools = list(await self.session.scalars(statement))
        missing = sorted(set(tool_ids) - {tool.id for tool in tools})
        if missing:
            raise Invalid(
                lazy("There are no tools with the ids %(missing)s.", missing=missing),
                field="tool_ids",
            )
        return tools

    async def kept(self, tool_ids: Collection[int]) -> dict[int, Tool]:
        """Those of them that can be seen, kept as they are until the transaction ends."""
        if not tool_ids:
            return {}
        statement = self.visible().where(Tool.id.in_(tool_ids)).order_by(Tool.id)
        return {tool.id: tool for tool in await self.session.scalars(unchanged(statement))}

    async def to_give(
        self,
        tool_ids: Collection[int],
        owner_id: int | None,
        offered: Mapping[int, Tool] | None = None,
    ) -> list[Tool]:
        """The tools an agent is to get, kept as they are until the transaction ends.

        ``owner_id`` is the agent's owner, where that person sees no tools but their own;
        ``offered`` are those that are ``kept`` already. Raise ``Invalid`` naming what is missing,
        for the actor or for the owner.
        """
        found = await self.kept(tool_ids) if offered is None else offered
        tools = [found[tool_id] for tool_id in sorted(tool_ids) if tool_id in found]
        missing = sorted(set(tool_ids) - {tool.id for tool in tools})
        if missing:
            raise Invalid(
                lazy("There are no tools with the ids %(missing)s.", missing=missing),
                field="tool_ids",
            )
        foreign = [t.name for t in tools if owner_id is not None and t.user_id != owner_id]
        if foreign:
            raise Invalid(
                lazy(
                    "The owner of this agent has no such tools: %(names)s.",
                    names=", ".join(sorted(foreign)),
                ),
                field="tool_ids",
            )
        return tools

    async def hold(self, tool_ids: Collection[int]) -> Sequence[Tool]:
        """Tools that an agent has, kept as they are until the transaction ends."""
        statement = select(Tool).where(Tool.id.in_(tool_ids)).order_by(Tool.id)
        return (await self.session.scalars(unchanged(statement))).all()

    async def choices(self, owner_id: int | None = None, limit: int = 500) -> list[Tool]:
        """The tools an agent can be given, by name; ``owner_id`` as in ``to_give``."""
        statement = self.visible().order_by(Tool.name, Tool.id).limit(limit)
        if owner_id is not None:
            statement = statement.where(Tool.user_id == owner_id)
        return list(await self.session.scalars(statement))

    async def agents_using(self, tool: Tool, limit: int = 200) -> list[Agent]:
        statement = (
            select(Agent)
            .join(agent_tools, agent_tools.c.agent_id == Agent.id)
            .where(agent_tools.c.tool_id == tool.id, Agent.deleted_at.is_(None))
            .order_by(Agent.name, Agent.id)
        )
        if not self.actor.sees_all_rows:
            statement = statement.where(Agent.user_id == self.actor.user_id)
        return list(await self.session.scalars(statement.limit(limit)))

    async def written(self, row: Tool, changes: Changes, note: str | None) -> None:
        """A tool that behaves otherwise makes a new revision of each agent that uses it."""
        if not BEHAVIOUR_FIELDS & changes.keys():
            return
        revisions = AgentRevisionService(self.session, self.actor)
        await revisions.capture_each(await self._ids_of_agents(row), f"Tool {row.name} changed")

    async def delete(self, row_id: int, version: int | None = None) -> None:
        """Raise ``Conflict`` while agents use the tool: they would silently lose it."""
        self.require(self.deletable)
        # Locked before it is asked who uses it: whoever gives it to an agent waits, and then
        # finds it gone, or was first and is seen here.
        tool = await self.get(row_id, lock=True)
        users = await self._ids_of_agents(tool)
        if users:
            raise in_use(len(users))
        await super().delete(row_id, version)

    async def _ids_of_agents(self, tool: Tool) -> list[Any]:
        statement = (
            select(agent_tools.c.agent_id)
            .join(Agent, Agent.id == agent_tools.c.agent_id)
            .where(agent_tools.c.tool_id == tool.id, Agent.deleted_at.is_(None))
            .order_by(agent_tools.c.agent_id)
        )
        return list(await self.session.scalars(statement))
