"""Runs: recorded once however often they are sent, completed later, listed and found."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Text, bindparam, func, or_, select
from sqlalchemy.dialects.postgresql import insert

from app.core.texts import lazy
from app.exceptions import AppError, Conflict, Invalid
from app.models import AgentRevision, Execution, ExecutionBody, HourlyFigures, Span
from app.models.base import table_of
from app.models.executions import OPEN_STATUSES, ExecutionStatus
from app.schemas.agents import Action, action_for
from app.schemas.bulk import Problem
from app.schemas.executions import (
    BatchItem,
    ExecutionBatch,
    ExecutionCreate,
    ExecutionUpdate,
)
from app.schemas.spans import SpanCreate
from app.services.agents import AgentService, NamedAgent
from app.services.audit_events import Changes
from app.services.bulk import attempt, error_of
from app.services.execution_reads import ExecutionReader
from app.services.feedback import FeedbackService
from app.services.ingestion.reports import (
    USAGE_FIELDS,
    apart,
    content_digest,
    external_id_of,
    latency_ms,
    model_of,
    preview_of,
    reported_in,
    source_of,
    trace_id_for,
    usage_values,
)
from app.services.ingestion.words import with_more_words
from app.services.pricing.arrivals import is_to_be_priced, priced
from app.services.pricing.books import current_book
from app.services.saves import Edit
from app.services.spans import SpanService, cost_source_of, distinct
from app.services.stale_hours import mark_stale
from app.services.traces import count_errors, leaf_model_steps, search_text, totals_of

STORE = insert(Execution).on_conflict_do_nothing().returning(Execution)
STORE_BODY = insert(table_of(ExecutionBody)).values(
    search=func.to_tsvector("simple", bindparam("words", type_=Text))
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A stored run, whether this request stored it, and what its agent is to do next."""

    execution: Execution
    is_new: bool
    action: Action


class ExecutionService(ExecutionReader):
    """Records and completes."""

    # Recording

    async def record(self, data: ExecutionCreate) -> Recorded:
        """Store the run and its spans. Raise ``Conflict`` when its id is taken by another run."""
        self.actor.require(self.writable)
        recorded = await self._store(data)
        if recorded.is_new:
            changes = {
                "status": [None, recorded.execution.status.value],
                "spans": [None, len(data.spans)],
            }
            self.audit.record("create", self.resource, recorded.execution, changes)
        return recorded

    async def record_batch(self, batch: ExecutionBatch) -> list[BatchItem]:
        """Each item on its own: one refused item does not lose the others."""
        self.actor.require(self.writable)
        items = [await self._record_item(i, raw) for i, raw in enumerate(batch.items)]
        created = [item.id for item in items if item.status == 201]
        if created:
            changes = {"created": [None, len(created)], "ids": [None, [created[0], created[-1]]]}
            self.audit.record("create_batch", self.resource, None, changes)
        return items

    async def _record_item(self, index: int, item: ExecutionCreate | Problem) -> BatchItem:
        external_id = external_id_of(item)
        found = await attempt(self.session, item, self._store)
        if isinstance(found, AppError):
            return BatchItem(
                index=index, status=found.status, external_id=external_id, error=error_of(found)
            )
        return BatchItem(
            index=index,
            status=201 if found.is_new else 200,
            id=found.execution.id,
            trace_id=found.execution.trace_hex,
            external_id=external_id,
            action=found.action,
        )

    async def _store(self, data: ExecutionCreate) -> Recorded:
        agent = await self._agent_of(data)
        digest = content_digest(data)
        started_at = self._started_at(data)
        # What was reported is known by its digest, which is of what was sent.
        data.spans = await self._priced(data.spans, started_at)
        values = await self._row_values(data, agent, started_at) | {"content_sha256": digest}
        action = action_for(is_active=agent.is_active)
        execution, is_new = await self._stored_or_known(values)
        if not is_new:
            return Recorded(self._same(execution, values), is_new=False, action=action)
        await SpanService(self.session, self.actor).store(execution, data.spans)
        await (await self.session.connection()).execute(STORE_BODY, self._body(execution, data))
        await FeedbackService(self.session, self.actor).add(execution, data.feedback)
        await self.session.flush()  # a refused value must be this item's error, not the batch's
        self.announce("create", execution)
        await self.tell("create", execution, {})
        return Recorded(execution, is_new=True, action=action)

    async def _agent_of(self, data: ExecutionCreate) -> NamedAgent:
        agents = AgentService(self.session, self.actor)
        if data.agent_id is not None:
            agent = await agents.find_for_report(agent_id=data.agent_id)
        else:
            agent = await agents.find_for_report(name=data.agent)
        if agent is None:
            field = "agent" if data.agent_id is None else "agent_id"
            raise Invalid(lazy("There is no such agent. Create it first."), field=field)
        return agent

    async def _stored_or_known(self, values: dict[str, Any]) -> tuple[Execution, bool]:
        """The run, and whether it was stored now.

        A trace id that is taken by a run which the actor may not see says nothing of that run:
        theirs is stored beside it.
        """
        sent = values["stored_trace_id"]
        beside = {"stored_trace_id": apart(sent, self.actor), "sent_trace_id": sent}
        for attempted in (values, values | beside):
            # A concurrent report of the same run waits here until the first is committed.
            stored = await self.session.scalar(STORE, attempted)
            if stored is not None:
                return stored, True
            known = await self._known(values)
            if known is not None:
                return known, False
        raise Conflict(lazy("This trace id cannot be used."), field="trace_id")

    async def _known(self, values: dict[str, Any]) -> Execution | None:
        """The run of these ids among those that the actor may see, also in the trash."""
        sent, of_agent = values["stored_trace_id"], Execution.agent_id == values["agent_id"]
        same = or_(Execution.stored_trace_id == sent, Execution.sent_trace_id == sent)
        if values["external_id"] is not None:
            same = or_(same, of_agent & (Execution.external_id == values["external_id"]))
        statement = self.limited_to_agent(select(Execution).where(same))
        if not self.actor.sees_all_rows:
            statement = statement.where(self.owned())
        # Of two runs the one of this agent, and the one that has the id itself.
        statement = statement.order_by(of_agent.desc(), Execution.sent_trace_id.is_not(None))
        return await self.session.scalar(statement.limit(1))

    @staticmethod
    def _same(found: Execution, values: dict[str, Any]) -> Execution:
        """Raise ``Conflict`` where it is not what was sent, or in the trash."""
        is_same = found.content_sha256 == values["content_sha256"]
        if not is_same or found.agent_id != values["agent_id"]:
            raise Conflict(
                lazy("This run is stored already, with other content. Use PATCH to change it."),
                field="external_id" if values["external_id"] else "trace_id",
            )
        if found.deleted_at is not None:
            raise Conflict(
                lazy("This run is in the trash. Restore it, or send it under another id.")
            )
        return found

    async def _priced(self, spans: Sequence[SpanCreate], started_at: datetime) -> list[SpanCreate]:
        """Those without a cost with the one that follows from the prices, where there is one."""
        if not any(is_to_be_priced(span) for span in spans):
            return list(spans)
        return priced(spans, await current_book(self.session), started_at)

    async def _row_values(
        self, data: ExecutionCreate, agent: NamedAgent, started_at: datetime
    ) -> dict[str, Any]:
        spans = distinct(data.spans)
        sources = [cost_source_of(step) for step in leaf_model_steps(spans)]
        ended_at = data.ended_at
        return {
            "agent_id": agent.id,
            "agent_revision_id": await self._revision_id(data, agent),
            "stored_trace_id": trace_id_for(data, agent.id),
            "external_id": data.external_id,
            "session_id": data.session_id,
            "status": data.status,
            "source": data.source,
            "model_name": model_of(data),
            "preview": preview_of(data.input),
            "started_at": started_at,
            "ended_at": ended_at,
            "latency_ms": latency_ms(started_at, ended_at),
            "span_count": len(spans),
            "error_count": count_errors(spans),
            "tags": sorted(set(data.tags)),
            "error_type": data.error_type,
            "reported_by_user_id": self.actor.user_id,
            "reported_by_key_id": self.actor.api_key_id,
        } | usage_values(data, totals_of(spans), sources)

    def _started_at(self, data: ExecutionCreate) -> datetime:
        """A run that names its end alone began no later, whatever its spans say."""
        known = [moment for moment in (self._earliest(data), data.ended_at) if moment]
        return data.started_at or min(known, default=datetime.now(UTC))

    @staticmethod
    def _earliest(data: ExecutionCreate) -> datetime | None:
        starts = [span.start_ns for span in data.spans if span.start_ns is not None]
        return datetime.fromtimestamp(min(starts) / 1e9, UTC) if starts else None

    async def _revision_id(self, data: ExecutionCreate, agent: NamedAgent) -> int | None:
        if data.revision is None:
            return agent.live_revision_id
        revision_id = await self.session.scalar(
            select(AgentRevision.id).where(
                AgentRevision.agent_id == agent.id, AgentRevision.number == data.revision
            )
        )
        if revision_id is None:
            raise Invalid(
                lazy(
                    "%(agent)s has no revision %(revision)s.",
                    agent=agent.name,
                    revision=data.revision,
                ),
                field="revision",
            )
        return revision_id

    def _body(self, execution: Execution, data: ExecutionCreate) -> dict[str, Any]:
        spoken = [value for span in data.spans for value in (span.output, span.input)]
        sent = {field: getattr(data, field) for field in ("input", "output", "error")}
        return sent | {
            "execution_id": execution.id,
            "started_at": execution.started_at,
            "details": data.metadata,
            "words": search_text([data.input, data.output, data.error, *spoken]),
        }

    # Completing

    async def update(
        self, row_id: int, data: ExecutionUpdate, version: int | None = None
    ) -> Execution:
        """Change what is sent; spans are added, and the totals follow from all of them."""
        self.actor.require(self.writable)
        execution = await self.get(row_id, lock=True)
        self.check_version(execution, version)
        sent = data.model_fields_set
        if "spans" in sent:
            data.spans = await self._priced(data.spans, execution.started_at)
            await SpanService(self.session, self.actor).store(execution, data.spans)
        is_news = bool(sent - {"tags"})
        if execution.status is ExecutionStatus.STALLED and is_news and "status" not in sent:
            execution.status = ExecutionStatus.RUNNING  # it was only silent
        for field in sent & {"status", "ended_at", "error_type", "model_name", "tags"}:
            setattr(execution, field, getattr(data, field))
        execution.model_name = execution.model_name or model_of(data)
        if "status" in sent and data.status not in OPEN_STATUSES and execution.ended_at is None:
            execution.ended_at = max(datetime.now(UTC), execution.started_at)
        await self._recount(execution, data)
        await self._complete_body(execution, data)
        await self.save("update", execution, self._body_changes(data))
        return execution

    async def update_together(self, edits: Sequence[Edit[ExecutionUpdate]]) -> list[Execution]:
        """Each by itself: its spans and its body are stored with it."""
        return [await self.update(edit.row_id, edit.data, edit.version) for edit in edits]

    async def written(self, row: Execution, changes: Changes, note: str | None) -> None:
        """What lies in the trash is not counted."""
        if "deleted_at" in changes:
            mark_stale(self.session, HourlyFigures.TOOL_CALLS, row)

    async def check(self, row: Execution) -> None:
        if row.ended_at is not None and row.ended_at < row.started_at:
            raise Invalid(lazy("ended_at must not be before started_at."), field="ended_at")
        row.latency_ms = latency_ms(row.started_at, row.ended_at)

    @staticmethod
    def _body_changes(data: ExecutionUpdate) -> Changes:
        """Bodies are large and may be private: the record says that they changed, not how."""
        fields = data.model_fields_set & {"output", "error", "metadata"}
        changes: Changes = {field: [None, "changed"] for field in sorted(fields)}
        return changes | ({"spans": [None, len(data.spans)]} if data.spans else {})

    async def _recount(self, execution: Execution, data: ExecutionUpdate) -> None:
        """What was sent counts, now or before; the rest follows from the spans that know it."""
        sent = data.model_fields_set
        values = {field: getattr(data, field) for field in USAGE_FIELDS if field in sent}
        before = set(execution.totals_reported) - values.keys()
        execution.totals_reported = sorted(before | set(reported_in(data)))
        steps: list[Span] = []
        if "spans" in sent:
            steps = await SpanService(self.session, self.actor).of(execution)
            execution.span_count = len(steps)
            execution.error_count = count_errors(steps)
            totals = asdict(totals_of(steps))
            summed = {k: v for k, v in totals.items() if v is not None and k not in before}
            values = summed | values
        for field, value in values.items():
            setattr(execution, field, value)
        if "cost" in values:
            leaves = [] if "cost" in sent else leaf_model_steps(steps)
            of_steps = [step.cost_source for step in leaves]
            execution.cost_source = source_of(values["cost"], of_steps)

    async def _complete_body(self, execution: Execution, data: ExecutionUpdate) -> None:
        sent = data.model_fields_set & {"output", "error", "metadata", "spans"}
        if not sent:
            return
        body = await self.body(execution)
        for field in sent - {"spans"}:
            setattr(body, "details" if field == "metadata" else field, getattr(data, field))
        spoken = [value for span in data.spans for value in (span.output, span.input)]
        words = search_text([body.input, body.output, body.error, *spoken])
        body.search = with_more_words(words)
