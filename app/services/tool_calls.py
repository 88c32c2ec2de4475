"""What the counts say of a tool and of an agent. Nothing is counted here, and no span is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select, true
from sqlalchemy.dialects.postgresql import aggregate_order_by, distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import Permission
from app.models import (
    Agent,
    CallProblemKind,
    HourlyFigures,
    StaleHour,
    Tool,
    ToolCallHour,
    ToolCallProblem,
    agent_tools,
)
from app.models.tool_calls import KEY
from app.schemas.tool_calls import (
    AgentCalls,
    AgentToolUse,
    CallExample,
    CallFigures,
    CallProblem,
    ToolContract,
    ToolStanding,
    UsedTool,
)
from app.schemas.tools import ToolSummary
from app.services.agents import AgentService
from app.services.stale_hours import hour_of
from app.services.tools import ToolService

LEAST_BROKEN = Decimal("0.01")
SHOWN_PROBLEMS, SHOWN_EXAMPLES, SHOWN_AGENTS, SHOWN_TOOLS = 20, 3, 20, 100
FIGURES = ("calls", "errors", "unoffered", "checked", "broken")
SUMS = [func.coalesce(func.sum(getattr(ToolCallHour, name)), 0).label(name) for name in FIGURES]
NEWEST = func.max(ToolCallHour.counted_at).label("counted_at")


@dataclass(frozen=True, slots=True)
class BrokenTool:
    """So many of the checked calls break the schema; ``fault`` is what most of them do wrong."""

    tool_id: int
    name: str
    broken: int
    checked: int
    fault: str | None


def figures_of(row: Any) -> dict[str, int]:  # a row with SUMS
    return {name: int(getattr(row, name)) for name in FIGURES}


class ToolCallService:
    """Follows what the actor may see of tools, agents and runs."""

    resource = "tool_calls"

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor

    async def contract(self, tool_id: int, days: int) -> ToolContract:
        """Raise ``NotFound`` for a tool that is not this actor's to see."""
        return await self.contract_of(
            await ToolService(self.session, self.actor).get(tool_id), days
        )

    async def contract_of(self, tool: Tool, days: int) -> ToolContract:
        """Of a tool that the actor may see; six queries."""
        self.actor.require(Permission.EXECUTIONS_READ)
        since = since_of(days)
        these = (
            ToolCallHour.tool_id == tool.id,
            ToolCallHour.hour >= since,
            self._seen(ToolCallHour.agent_id),
        )
        total = (await self.session.execute(select(*SUMS, NEWEST).where(*these))).one()
        using = select(agent_tools.c.agent_id).where(agent_tools.c.tool_id == tool.id)
        return ToolContract(
            tool_id=tool.id,
            since=since,
            counted_at=total.counted_at,
            is_pending=await self._is_pending(StaleHour.agent_id.in_(using), since),
            total=CallFigures(**figures_of(total)),
            problems=await self._problems(these),
            never_sent=await self._never_sent(tool, these) if total.checked else [],
            agents=await self._by_agent(these),
        )

    async def use_by(self, agent_id: int, days: int) -> AgentToolUse:
        """Raise ``NotFound`` for an agent that is not this actor's to see."""
        return await self.use_of(await AgentService(self.session, self.actor).get(agent_id), days)

    async def use_of(self, agent: Agent, days: int) -> AgentToolUse:
        """Of an agent that the actor may see, read with its tools; four queries."""
        self.actor.require(Permission.EXECUTIONS_READ)
        since = since_of(days)
        these = ToolCallHour.agent_id == agent.id, ToolCallHour.hour >= since
        name = ToolCallHour.tool_name
        statement = select(name, *SUMS, NEWEST).where(*these).group_by(name)
        ordered = statement.order_by(func.sum(ToolCallHour.calls).desc(), name)
        rows = (await self.session.execute(ordered.limit(SHOWN_TOOLS))).all()
        given = {tool.name.strip().lower(): tool.id for tool in agent.tools}
        missing = [row.tool_name for row in rows if row.tool_name not in given]
        owned = await self._owned(agent, missing)
        strange = await self._unknown_properties(these)
        called = {row.tool_name for row in rows}
        return AgentToolUse(
            agent_id=agent.id,
            since=since,
            counted_at=max((row.counted_at for row in rows), default=None),
            is_pending=await self._is_pending(StaleHour.agent_id == agent.id, since),
            tools=[used(row, given, owned, strange) for row in rows],
            never_called=[
                ToolSummary.model_validate(tool)
                for tool in agent.tools
                if tool.name.strip().lower() not in called
            ],
        )

    async def most_broken(
        self, days: int, limit: int, agent_id: int | None = None
    ) -> list[BrokenTool]:
        """Those tools that the actor may see whose calls break their schema; two queries.

        The most broken calls come first; a tool where fewer than one in a hundred is broken is
        left out, for models slip now and then.
        """
        self.actor.require(Permission.EXECUTIONS_READ)
        these = [ToolCallHour.hour >= since_of(days), self._seen(ToolCallHour.agent_id)]
        these += [] if agent_id is None else [ToolCallHour.agent_id == agent_id]
        broken, checked = func.sum(ToolCallHour.broken), func.sum(ToolCallHour.checked)
        sums = select(Tool.id, Tool.name, broken.label("broken"), checked.label("checked"))
        tools = ToolService(self.session, self.actor).visible_in(sums)
        statement = (
            tools.join(ToolCallHour, ToolCallHour.tool_id == Tool.id)
            .where(*these)
            .group_by(Tool.id)
            .having(broken > 0, broken >= checked * LEAST_BROKEN)
            .order_by(broken.desc(), Tool.id)
            .limit(limit)
        )
        rows = (await self.session.execute(statement)).all()
        faults = await self._commonest_faults([row.id for row in rows], these)
        return [
            BrokenTool(row.id, row.name, int(row.broken), int(row.checked), faults.get(row.id))
            for row in rows
        ]

    async def _commonest_faults(
        self, tool_ids: Sequence[int], these: Sequence[ColumnElement[bool]]
    ) -> dict[int, str]:
        if not tool_ids:
            return {}
        problem, calls = ToolCallProblem, func.sum(ToolCallProblem.calls)
        same = [getattr(problem, name) == getattr(ToolCallHour, name) for name in KEY]
        tool_id = ToolCallHour.tool_id
        statement = (
            select(tool_id, problem.what)
            .join(ToolCallHour, and_(*same))
            .where(*these, tool_id.in_(tool_ids), problem.kind == CallProblemKind.BROKEN)
            .group_by(tool_id, problem.what)
            .ext(distinct_on(tool_id))
            .order_by(tool_id, calls.desc(), problem.what)
        )
        return {row[0]: row[1] for row in await self.session.execute(statement) if row[0]}

    def _seen(self, agent_id: Any) -> ColumnElement[bool]:  # a column
        """The runs of which agents count for this actor."""
        if self.actor.only_agent_id is not None:
            return agent_id == self.actor.only_agent_id  # type: ignore[no-any-return]  # a column
        if self.actor.sees_all_rows:
            return true()
        own = select(Agent.id).where(Agent.user_id == self.actor.user_id)
        return agent_id.in_(own)  # type: ignore[no-any-return]  # a column

    async def _is_pending(self, of: ColumnElement[bool], since: datetime) -> bool:
        marks = select(StaleHour.hour).where(
            StaleHour.figures == HourlyFigures.TOOL_CALLS,
            of,
            StaleHour.hour >= since,
            self._seen(StaleHour.agent_id),
        )
        return await self.session.scalar(marks.limit(1)) is not None

    async def _by_agent(self, these: Sequence[ColumnElement[bool]]) -> list[AgentCalls]:
        statement = (
            select(Agent.id, Agent.name, *SUMS)
            .join(ToolCallHour, ToolCallHour.agent_id == Agent.id)
            .where(*these)
            .group_by(Agent.id, Agent.name)
            .order_by(func.sum(ToolCallHour.calls).desc(), Agent.id)
            .limit(SHOWN_AGENTS)
        )
        rows = await self.session.execute(statement)
        return [AgentCalls(agent_id=row.id, agent=row.name, **figures_of(row)) for row in rows]

    async def _never_sent(self, tool: Tool, these: Sequence[ColumnElement[bool]]) -> list[str]:
        properties = tool.parameters.get("properties")
        if not isinstance(properties, dict):
            return []
        sent = select(func.unnest(ToolCallHour.sent)).where(*these).distinct()
        known = set(await self.session.scalars(sent))
        return [name for name in properties if name[:100] not in known]

    async def _problems(self, these: Sequence[ColumnElement[bool]]) -> list[CallProblem]:
        """With the newest examples."""
        problem, calls = ToolCallProblem, func.sum(ToolCallProblem.calls)
        hours = problem.hour.desc()
        examples = [
            func.array_agg(aggregate_order_by(column, hours))
            for column in (problem.execution_id, problem.span_id, problem.note)
        ]
        same = [getattr(problem, name) == getattr(ToolCallHour, name) for name in KEY]
        statement = (
            select(problem.kind, problem.what, calls, *examples)
            .join(ToolCallHour, and_(*same))
            .where(*these)
            .group_by(problem.kind, problem.what)
            .order_by(calls.desc(), problem.kind, problem.what)
            .limit(SHOWN_PROBLEMS)
        )
        rows = await self.session.execute(statement)
        return [problem_from(*row) for row in rows]

    async def _owned(self, agent: Agent, names: Sequence[str]) -> dict[str, int]:
        """Tools of these names that the agent's owner has."""
        name = func.lower(Tool.name)
        statement = select(name, Tool.id).where(
            Tool.user_id == agent.user_id, Tool.deleted_at.is_(None), name.in_(names)
        )
        return {row[0]: row[1] for row in await self.session.execute(statement)} if names else {}

    async def _unknown_properties(self, these: Sequence[ColumnElement[bool]]) -> dict[str, int]:
        problem = ToolCallProblem
        same = [getattr(problem, name) == getattr(ToolCallHour, name) for name in KEY]
        statement = (
            select(problem.tool_name, func.count(problem.what.distinct()))
            .join(ToolCallHour, and_(*same))
            .where(*these, problem.kind == CallProblemKind.UNKNOWN_PROPERTY)
            .group_by(problem.tool_name)
        )
        return {row[0]: row[1] for row in await self.session.execute(statement)}


def since_of(days: int) -> datetime:
    return hour_of(datetime.now(UTC) - timedelta(days=days))


def used(
    row: Any, given: dict[str, int], owned: dict[str, int], strange: dict[str, int]
) -> UsedTool:
    name = row.tool_name
    standing = (
        ToolStanding.GIVEN
        if name in given
        else ToolStanding.NOT_GIVEN
        if name in owned
        else ToolStanding.UNKNOWN
    )
    return UsedTool(
        name=name,
        tool_id=given.get(name, owned.get(name)),
        standing=standing,
        unknown_properties=strange.get(name, 0),
        **figures_of(row),
    )


def problem_from(
    kind: CallProblemKind, what: str, calls: int, *examples: Sequence[Any]
) -> CallProblem:
    newest = list(zip(*examples, strict=True))[:SHOWN_EXAMPLES]
    return CallProblem(
        kind=kind,
        what=what,
        calls=int(calls),
        examples=[
            CallExample(
                execution_id=run_id, span_id=None if span_id is None else span_id.hex(), note=note
            )
            for run_id, span_id, note in newest
        ],
    )
