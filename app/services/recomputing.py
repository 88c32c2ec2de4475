"""Costs computed anew: what was computed or had no price; what was reported stays."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import and_, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import Permission
from app.core.texts import lazy
from app.exceptions import Conflict, Forbidden
from app.models import Execution, Job, JobKind, Span, SpanBody
from app.models.base import JsonObject
from app.models.executions import CostSource
from app.models.jobs import OPEN_JOBS
from app.models.spans import MODEL_KINDS
from app.schemas.model_prices import RecomputeRequest
from app.schemas.spans import PROVIDER_ATTRIBUTES
from app.services.audit_events import AuditEventService
from app.services.executions import ExecutionService
from app.services.ingestion.reports import source_of
from app.services.jobs import JobService
from app.services.pricing.arrivals import ANSWERED, quote_of
from app.services.pricing.books import PriceBook, current_book
from app.services.spans import KEY
from app.services.traces import has_usage, leaf_model_steps, sums_of

RUNS_AT_ONCE, SPANS_AT_ONCE = 200, 5_000
MAX_MODELS = 20
KIND = Job.kind == JobKind.RECOMPUTE_COSTS.value


@dataclass(slots=True)
class Tally:
    """What was done so far, and up to where: the start and the id of a run. Costs are USD."""

    after: tuple[datetime, int] | None = None
    runs: int = 0
    runs_changed: int = 0
    steps: int = 0
    steps_changed: int = 0
    steps_unpriced: int = 0
    cost_before: Decimal = Decimal(0)
    cost_after: Decimal = Decimal(0)
    unpriced_models: Counter[str] = field(default_factory=Counter)

    @property
    def written(self) -> JsonObject:
        """As the job's result; ``tally_in`` reads it back."""
        after = self.after and [self.after[0].isoformat(), self.after[1]]
        return {
            "runs": self.runs,
            "runs_changed": self.runs_changed,
            "steps": self.steps,
            "steps_changed": self.steps_changed,
            "steps_unpriced": self.steps_unpriced,
            "cost_before": f"{self.cost_before:f}",
            "cost_after": f"{self.cost_after:f}",
            "unpriced_models": dict(self.unpriced_models.most_common(MAX_MODELS)),
            "after": after,
        }


def tally_in(result: Any) -> Tally:  # a job's result, any JSON value
    """What an earlier try did; nothing where there was none."""
    if not isinstance(result, dict) or not result.get("after"):
        return Tally()
    started_at, row_id = result["after"]
    counts = ("runs", "runs_changed", "steps", "steps_changed", "steps_unpriced")
    return Tally(
        after=(datetime.fromisoformat(started_at), row_id),
        cost_before=Decimal(result["cost_before"]),
        cost_after=Decimal(result["cost_after"]),
        unpriced_models=Counter(result["unpriced_models"]),
        **{name: result[name] for name in counts},
    )


class RecomputingService:
    """Asked for as a job, by who may say what models cost."""

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor
        self.jobs = JobService(session, actor)

    async def start(self, request: RecomputeRequest) -> Job:
        """Ask for it in this transaction. Raise ``Conflict`` while another is under way."""
        self.actor.require(Permission.PRICES_MANAGE)
        self.actor.require(Permission.EXECUTIONS_WRITE)
        if self.actor.only_agent_id is not None:
            raise Forbidden(lazy("This key is limited to one agent."))
        is_open = select(Job.id).where(KIND, Job.status.in_(OPEN_JOBS)).limit(1)
        job_id = await self.session.scalar(is_open)
        if job_id is not None:
            raise Conflict(
                lazy(
                    "Costs are being computed anew already (job %(job_id)s). "
                    "Wait for it, or cancel it.",
                    job_id=job_id,
                )
            )
        bounded = request.model_copy(update={"until": request.until or datetime.now(UTC)})
        asked = bounded.model_dump(mode="json")
        changes = {name: [None, value] for name, value in asked.items()}
        AuditEventService(self.session, self.actor).record(
            "recompute_costs", "model_prices", None, changes
        )
        return await self.jobs.enqueue(JobKind.RECOMPUTE_COSTS, {"request": asked})

    async def newest(self) -> Job | None:
        """The last time that it was asked for, if the actor may see that."""
        statement = self.jobs.visible().where(KIND).options(*self.jobs.loads())
        ordered = statement.order_by(Job.created_at.desc(), Job.id.desc()).limit(1)
        return await self.session.scalar(ordered)


class Recomputer:
    """Goes through the runs in the order of their start, some at a time."""

    resource = "executions"

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.runs = ExecutionService(session, actor)

    async def go_on(self, request: RecomputeRequest, tally: Tally) -> bool:
        """Price the next runs anew and add them to the tally; false when there are no more."""
        self.runs.actor.require(Permission.EXECUTIONS_WRITE)
        ids = await self._next(request, tally)
        if not ids:
            return False
        runs = await self._locked(ids)
        steps = await self._steps(ids)
        changed = self._price(steps, await current_book(self.session), tally)
        totals = [
            self._total(run, [s for s, *_ in steps if s.execution_id == run.id]) for run in runs
        ]
        before = sum((old or Decimal(0) for old, _ in totals), Decimal(0))
        after = sum((new or Decimal(0) for _, new in totals), Decimal(0))
        tally.runs += len(runs)
        tally.cost_before, tally.cost_after = tally.cost_before + before, tally.cost_after + after
        moved = [run for run in runs if run in self.session.dirty and self.session.is_modified(run)]
        tally.runs_changed += len(moved)
        if moved or changed:
            await self._record(moved, changed, (before, after))
        return True

    async def _next(self, request: RecomputeRequest, tally: Tally) -> list[int]:
        """Ids of the next runs: so many that their steps are not too many."""
        place = tuple_(Execution.started_at, Execution.id)
        statement = self.runs.visible().where(
            Execution.started_at >= request.since, Execution.started_at < request.until
        )
        if tally.after is not None:
            statement = statement.where(place > tally.after)
        columns = (Execution.started_at, Execution.id, Execution.span_count)
        ordered = statement.with_only_columns(*columns).order_by(*columns[:2]).limit(RUNS_AT_ONCE)
        ids: list[int] = []
        spans = 0
        for started_at, row_id, span_count in await self.session.execute(ordered):
            if ids and spans + span_count > SPANS_AT_ONCE:
                break
            ids.append(row_id)
            spans += span_count
            tally.after = (started_at, row_id)
        return ids

    async def _locked(self, ids: Sequence[int]) -> list[Execution]:
        """Who reports steps of them meanwhile waits, and then sums what is here."""
        statement = select(Execution).where(Execution.id.in_(ids)).order_by(Execution.id)
        fresh = statement.with_for_update(of=Execution).execution_options(populate_existing=True)
        return list(await self.session.scalars(fresh))

    async def _steps(self, ids: Sequence[int]) -> list[tuple[Span, str | None, str | None]]:
        """All steps, with the model that answered and the provider, as the attributes say."""
        same = [getattr(SpanBody, name) == getattr(Span, name) for name in KEY]
        said = [SpanBody.attributes[name].astext for name in PROVIDER_ATTRIBUTES]
        statement = (
            select(Span, SpanBody.attributes[ANSWERED].astext, func.coalesce(*said))
            .outerjoin(SpanBody, and_(Span.kind.in_(MODEL_KINDS), *same))
            .where(Span.execution_id.in_(ids))
        )
        return [(span, *names) for span, *names in await self.session.execute(statement)]

    def _price(
        self,
        steps: Sequence[tuple[Span, str | None, str | None]],
        book: PriceBook,
        tally: Tally,
    ) -> int:
        """Give each step the cost that follows from the book: how many have another one now."""
        changed = 0
        for span, answered, provider in steps:
            if span.kind not in MODEL_KINDS or span.cost_source is CostSource.REPORTED:
                continue
            quote = quote_of(
                book, span, {ANSWERED: answered}, span.provider_name or provider, span.started_at
            )
            cost = None if quote is None else quote.total
            source = CostSource.UNPRICED if quote is None else CostSource.COMPUTED
            changed += (span.cost, span.cost_source) != (cost, source)
            span.cost, span.cost_source = cost, source
            tally.steps += 1
            if quote is None and has_usage(span):
                tally.steps_unpriced += 1
                tally.unpriced_models[span.model_name or "unknown"] += 1
        tally.steps_changed += changed
        return changed

    def _total(
        self, run: Execution, steps: Sequence[Span]
    ) -> tuple[Decimal | None, Decimal | None]:
        """The run's cost before and after; one that was reported of the whole run stays."""
        before = run.cost
        if steps and "cost" not in run.totals_reported:
            leaves = leaf_model_steps(steps)
            cost = sums_of(leaves).cost
            source = source_of(cost, [step.cost_source for step in leaves])
            if (run.cost, run.cost_source) != (cost, source):
                run.cost, run.cost_source = cost, source
        return before, run.cost

    async def _record(
        self, moved: Sequence[Execution], steps: int, costs: tuple[Decimal, Decimal]
    ) -> None:
        await self.session.flush()  # the costs and their event belong together
        ids = [run.id for run in moved]
        changes = {
            "cost": [f"{cost:f}" for cost in costs],
            "runs": [None, len(moved)],
            "steps": [None, steps],
            "ids": [None, [min(ids), max(ids)] if ids else []],
        }
        self.runs.audit.record("recompute_costs", self.resource, None, changes)
        for run in moved:
            self.runs.announce("update", run)
