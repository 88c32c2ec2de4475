"""How long what is kept: what would go today, and the word to go on.

Runs go by whole months, and with them their steps and bodies. Runs that failed, that somebody said
something of, and that are not over are spared; sums by the hour stay.
"""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, literal, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.config import Settings
from app.core.permissions import Permission
from app.core.texts import lazy
from app.exceptions import Conflict
from app.models import Job, JobKind, RetentionState
from app.models.jobs import OPEN_JOBS
from app.services.audit_events import AuditEventService
from app.services.jobs import JobService
from app.services.retention_rules import MONTHS, RULES, RUNS, SAMPLED_PERCENT, Rule

KIND = Job.kind == JobKind.APPLY_RETENTION.value
# Runs are counted where their table is no larger, and else estimated by so much of it.
SAMPLED_BYTES = 32 * 1024 * 1024
MOST_COUNTED = 10_000  # of everything else
NOTHING_TO_DO = lazy("Nothing is older than it is kept for.")


@dataclass(frozen=True, slots=True)
class RunsToGo:
    """Of the runs that began before ``before``. ``size_bytes`` is of tables, about.

    ``is_estimate`` for all counts, which are then of a sample.
    """

    before: datetime | None
    runs: int = 0
    steps: int = 0
    size_bytes: int = 0
    failed: int = 0
    annotated: int = 0
    open: int = 0
    is_estimate: bool = False

    @property
    def spared(self) -> int:
        return self.failed + self.annotated + self.open


@dataclass(frozen=True, slots=True)
class RowsToGo:
    """Rows of ``table`` that are older than they are kept for: ``is_more`` than counted."""

    table: str
    words: str
    setting: str
    days: int
    rows: int
    is_more: bool = False


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    runs: RunsToGo
    bodies: RunsToGo
    others: list[RowsToGo]
    # Of estimates, which may miss a few: whether a month has ended since the last round.
    is_due: bool = False

    @property
    def is_estimate(self) -> bool:
        return self.runs.is_estimate or self.bodies.is_estimate

    @property
    def has_work(self) -> bool:
        counts = [self.runs.runs, self.bodies.runs, *(each.rows for each in self.others)]
        return any(counts) or self.is_due


class RetentionService:
    resource = "retention"

    def __init__(self, session: AsyncSession, actor: Actor, settings: Settings) -> None:
        self.session = session
        self.actor = actor
        self.settings = settings
        self.jobs = JobService(session, actor)

    # Reading

    async def plan(self) -> RetentionPlan:
        """What would go today. Changes nothing."""
        self.actor.require(Permission.SETTINGS_MANAGE)
        runs = await self._runs("spans", await self.horizon(self.settings.executions_kept_days))
        before = await self.horizon(self.settings.execution_bodies_kept_days)
        goes_alone = before is not None and (runs.before is None or before > runs.before)
        bodies = await self._runs("bodies", before, runs.before) if goes_alone else RunsToGo(None)
        plan = RetentionPlan(runs, bodies, [await self._rows(rule) for rule in RULES])
        return replace(plan, is_due=plan.is_estimate and await self.is_due())

    async def horizon(self, days: int | None) -> datetime | None:
        """The first moment of the month (UTC) in which the oldest day that is kept lies."""
        if days is None:
            return None
        moment = func.clock_timestamp() - literal(timedelta(days=days))
        first: datetime = (
            await self.session.execute(select(func.date_trunc("month", moment, "UTC")))
        ).scalar_one()
        return first

    async def _runs(
        self, what: str, before: datetime | None, after: datetime | None = None
    ) -> RunsToGo:
        if before is None:
            return RunsToGo(None)
        percent = await self._sampled_percent()
        between = {"before": before, "after": after}
        found = (await self.session.execute(RUNS, between | {"percent": percent})).one()
        parameters = between | {"with_spans": what == "spans"}
        size = (await self.session.execute(MONTHS, parameters)).scalar_one()
        share = found.going / found.all if found.all else 0
        return RunsToGo(
            before,
            runs=of_sample(found.going, percent),
            steps=of_sample(int(found.steps), percent),
            size_bytes=int(size * share),
            failed=of_sample(found.failed, percent),
            annotated=of_sample(found.annotated, percent),
            open=of_sample(found.open, percent),
            is_estimate=percent < 100,
        )

    async def _sampled_percent(self) -> float:
        parameters = {"most_bytes": SAMPLED_BYTES}
        percent: float = (await self.session.execute(SAMPLED_PERCENT, parameters)).scalar_one()
        return percent

    async def _rows(self, rule: Rule) -> RowsToGo:
        days = rule.days(self.settings)
        parameters = {"kept": timedelta(days=days), "most": MOST_COUNTED + 1}
        rows = (await self.session.execute(text(rule.count), parameters)).scalar_one()
        is_more = rows > MOST_COUNTED
        return RowsToGo(
            rule.table, rule.words, rule.setting, days, min(rows, MOST_COUNTED), is_more
        )

    async def newest(self) -> Job | None:
        """The last time that it was done."""
        statement = self.jobs.visible().where(KIND).options(*self.jobs.loads())
        ordered = statement.order_by(Job.created_at.desc(), Job.id.desc()).limit(1)
        return await self.session.scalar(ordered)

    # The word to go on

    async def start(self, plan: RetentionPlan) -> Job:
        """Have it done. Raise ``Conflict`` when there is nothing to do, or it is under way."""
        self.actor.require(Permission.SETTINGS_MANAGE)
        if not plan.has_work:
            raise Conflict(NOTHING_TO_DO)
        if (job_id := await self.open_job()) is not None:
            raise Conflict(lazy("It is being done already (job %(id)s).", id=job_id))
        AuditEventService(self.session, self.actor).record(
            "apply_retention", self.resource, None, told(plan)
        )
        return await self.jobs.enqueue(JobKind.APPLY_RETENTION, {})

    async def open_job(self) -> int | None:
        statement = select(Job.id).where(KIND, Job.status.in_(OPEN_JOBS)).limit(1)
        found: int | None = await self.session.scalar(statement)
        return found

    async def is_due(self) -> bool:
        """Whether a month has ended that the last round did not see."""
        state = (await self.session.scalars(select(RetentionState))).one()
        pairs = (
            (self.settings.executions_kept_days, state.runs_done_before),
            (self.settings.execution_bodies_kept_days, state.bodies_done_before),
        )
        horizons = [(await self.horizon(days), done) for days, done in pairs]
        return any(before and (done is None or before > done) for before, done in horizons)


def of_sample(count: int, percent: float) -> int:
    """Of all, to two digits; exact where the sample is all of them."""
    return count if percent >= 100 else int(float(f"{count * 100 / percent:.2g}"))


def told(plan: RetentionPlan) -> dict[str, Any]:  # changes of an audit event
    """What was there to see for who said so."""
    counts = Counter(runs=plan.runs.runs, bodies=plan.bodies.runs)
    for each in plan.others:
        counts[each.table] += each.rows
    unsure = {each.table: "more than {:,}" for each in plan.others if each.is_more}
    unsure |= {name: "about {:,}" for name in ("runs", "bodies") if plan.is_estimate}
    return {
        name: [None, unsure[name].format(count) if name in unsure else count]
        for name, count in counts.items()
        if count
    }
