"""Runs as they are listed, found and counted."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, select, text
from sqlalchemy.orm import joinedload
from sqlalchemy.sql.base import ExecutableOption

from app.core.permissions import Permission
from app.core.texts import lazy, mark
from app.exceptions import Invalid
from app.models import (
    Agent,
    AgentRevision,
    ApiKey,
    Execution,
    ExecutionBody,
    Feedback,
    User,
)
from app.models.base import table_of
from app.schemas.executions import (
    ExecutionCreate,
    ExecutionFilters,
    ExecutionQuery,
    ExecutionRead,
    ExecutionUpdate,
)
from app.services.base import BaseService, Columns
from app.services.ingestion.words import found_by
from app.services.json_rows import json_of
from app.services.paging import Slice, read_columns, read_slice, window

LIST_LIMIT = 1000
RUN = table_of(Execution)
SENT_TRACE_ID = func.coalesce(RUN.c.sent_trace_id, RUN.c.trace_id)
LISTED: Columns = select(
    json_of(ExecutionRead, RUN, trace_id=SENT_TRACE_ID), RUN.c.started_at, RUN.c.id
)

MODELS_SEEN = text("""
WITH RECURSIVE seen (name) AS (
    (SELECT min(model_name) FROM executions)
    UNION ALL
    SELECT (SELECT min(model_name) FROM executions WHERE model_name > seen.name)
    FROM seen WHERE seen.name IS NOT NULL
)
SELECT name FROM seen WHERE name IS NOT NULL LIMIT :limit
""")


def kept_by(query: ExecutionFilters) -> list[ColumnElement[bool]]:
    """The rules of what runs were like, and of what they belong to by other tables."""
    rules: list[ColumnElement[bool]] = []
    if query.agent is not None:
        rules.append(Execution.agent_id.in_(select(Agent.id).where(Agent.name == query.agent)))
    if query.revision is not None:
        revisions = select(AgentRevision.id).where(AgentRevision.number == query.revision)
        if query.agent_id:
            revisions = revisions.where(AgentRevision.agent_id.in_(query.agent_id))
        rules.append(Execution.agent_revision_id.in_(revisions))
    if query.min_cost is not None:
        rules.append(Execution.cost >= query.min_cost)
    if query.min_latency_ms is not None:
        rules.append(Execution.latency_ms >= query.min_latency_ms)
    if query.has_errors is not None:
        rules.append(Execution.error_count > 0 if query.has_errors else Execution.error_count == 0)
    if query.has_feedback is not None:
        with_any = Execution.id.in_(select(Feedback.execution_id))
        rules.append(with_any if query.has_feedback else ~with_any)
    return rules


class ExecutionReader(BaseService[Execution, ExecutionCreate, ExecutionUpdate]):
    model = Execution
    resource = "executions"
    is_live = True
    noun = mark("execution")
    readable = Permission.EXECUTIONS_READ
    writable = Permission.EXECUTIONS_WRITE
    deletable = Permission.EXECUTIONS_DELETE
    belongs_to_agent = True
    sorts = ("started_at",)
    default_sort = "-started_at"

    def loads(self) -> Sequence[ExecutableOption]:
        return (
            joinedload(Execution.agent).load_only(
                Agent.name, Agent.user_id, Agent.is_active, Agent.live_revision_id
            ),
            joinedload(Execution.agent_revision).load_only(AgentRevision.number),
        )

    def owned(self) -> ColumnElement[bool]:
        return self.of_own_agents(Execution.agent_id)

    def of_own_agents(self, agent_id: Any) -> ColumnElement[bool]:  # a column of any table
        return agent_id.in_(select(Agent.id).where(Agent.user_id == self.actor.user_id))  # type: ignore[no-any-return]  # a column

    def seen_sums(self, agent_id: Any) -> list[ColumnElement[bool]]:  # a column of any table
        """What ``visible()`` asks of runs by their agent, for sums over an agent's runs."""
        rules = [] if self.actor.sees_all_rows else [self.of_own_agents(agent_id)]
        only = self.actor.only_agent_id
        return rules if only is None else [*rules, agent_id == only]

    def limited_to_agent(self, statement: Select[Execution]) -> Select[Execution]:
        only = self.actor.only_agent_id
        return statement if only is None else statement.where(Execution.agent_id == only)

    # Reading

    async def body(self, execution: Execution) -> ExecutionBody:
        """Raise ``Invalid`` when retention has removed it."""
        body = await self.find_body(execution)
        if body is None:
            raise Invalid(lazy("The input and output of this run are no longer kept."))
        return body

    async def find_body(self, execution: Execution) -> ExecutionBody | None:
        statement = select(ExecutionBody).where(
            ExecutionBody.execution_id == execution.id,
            ExecutionBody.started_at == execution.started_at,
        )
        return await self.session.scalar(statement)

    def filtered(self, query: ExecutionFilters) -> Select[Execution]:
        statement = self.visible()
        equal = {
            Execution.model_name: query.model_name,
            Execution.source: query.source,
            Execution.session_id: query.session_id,
            Execution.external_id: query.external_id,
        }
        for column, value in equal.items():
            if value is not None:
                statement = statement.where(column == value)
        if query.agent_id:
            statement = statement.where(Execution.agent_id.in_(query.agent_id))
        if query.status:
            statement = statement.where(Execution.status.in_(query.status))
        if query.tag:
            statement = statement.where(Execution.tags.contains([query.tag]))
        if query.since:
            statement = statement.where(Execution.started_at >= query.since)
        if query.until:
            statement = statement.where(Execution.started_at < query.until)
        statement = statement.where(*kept_by(query))
        return statement.where(found_by(query.q)) if query.q else statement

    def asked(self, query: ExecutionQuery) -> Select[Execution]:
        """The runs of a list, or just those of its ids."""
        statement = self.filtered(query)
        return statement.where(Execution.id.in_(query.ids)) if query.ids else statement

    async def list_runs(self, query: ExecutionQuery, sort: str | None = None) -> Slice[Execution]:
        """Newest first: one query and none per row."""
        statement = self.asked(query).options(*self.loads())
        limit = len(query.ids) or query.limit
        return await read_slice(self.session, statement, self.sorting(sort), query.cursor, limit)

    async def list_json(self, query: ExecutionQuery, sort: str | None = None) -> Slice[Row[Any]]:
        """As ``list_runs``, each row's ``json`` as ``ExecutionRead`` would write it, and its id."""
        rule = self.asked(query).whereclause
        statement = LISTED if rule is None else LISTED.where(rule)
        wanted = window(self.sorting(sort), query.cursor, len(query.ids) or query.limit)
        return await read_columns(self.session, statement, wanted)

    async def count_runs(self, query: ExecutionFilters) -> int:
        """How many match, counted no further than ``LIST_LIMIT`` and one."""
        bounded = self.filtered(query).with_only_columns(Execution.id).limit(LIST_LIMIT + 1)
        return await self.session.scalar(select(func.count()).select_from(bounded.subquery())) or 0

    async def count_newer(self, query: ExecutionFilters, after_id: int) -> int:
        """Matching runs stored after the run with this id, counted to ``LIST_LIMIT``."""
        newer = self.filtered(query).where(Execution.id > after_id)
        bounded = newer.with_only_columns(Execution.id).limit(LIST_LIMIT + 1)
        return await self.session.scalar(select(func.count()).select_from(bounded.subquery())) or 0

    async def models_seen(self, limit: int = 200) -> list[str]:
        """Model names to filter by: a walk along the index, not over the table."""
        return list(await self.session.scalars(MODELS_SEEN, {"limit": limit}))

    async def offered_tools(self, execution: Execution) -> list[dict[str, Any]]:
        """The tools of the revision that ran, as its snapshot has them."""
        tools = select(AgentRevision.snapshot["tools"])
        of_run = AgentRevision.id == execution.agent_revision_id
        return await self.session.scalar(tools.where(of_run)) or []

    async def reporter(self, execution: Execution) -> str | None:
        """Who or what sent the run: the key's name, else the person's."""
        if execution.reported_by_key_id is not None:
            statement = select(ApiKey.name).where(ApiKey.id == execution.reported_by_key_id)
        else:
            statement = select(User.full_name).where(User.id == execution.reported_by_user_id)
        return await self.session.scalar(statement)

    async def median_latency_ms(self, agent_id: int, over: int = 200) -> float | None:
        """p50 over the agent's newest finished runs."""
        newest = (
            self.visible()
            .where(Execution.agent_id == agent_id, Execution.latency_ms.is_not(None))
            .order_by(Execution.started_at.desc(), Execution.id.desc())
            .limit(over)
            .with_only_columns(Execution.latency_ms)
            .subquery()
        )
        median = func.percentile_cont(0.5).within_group(newest.c.latency_ms)
        return await self.session.scalar(select(median))
