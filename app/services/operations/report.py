"""The whole report, asked once for all who look at the same moment."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.pool import QueuePool

from app.core.actor import Actor
from app.core.config import Settings
from app.core.database import Database
from app.core.permissions import Permission
from app.core.rate_limits import RateLimits
from app.core.texts import lazy, spoken
from app.exceptions import Unavailable
from app.schemas.operations import State
from app.services.operations import activity, server, storage, trust, work
from app.services.operations.asking import Asking, ask_all, asking, bounded
from app.services.operations.findings import ORDER, Finding, worst
from app.services.operations.growth import Growth, read_growth

CHECKS = (*server.CHECKS, *storage.CHECKS, *work.CHECKS, *trust.CHECKS)
KEPT_S = 3.0
UNREACHABLE = Finding(
    "database",
    server.GROUP,
    lazy("Database"),
    State.BAD,
    lazy("not reachable"),
    lazy("See that PostgreSQL runs, and what DATABASE_URL says. python -m app doctor tells more."),
    "operations",
)


@dataclass(frozen=True, slots=True)
class OperationsReport:
    """What was found at a moment; lists are bounded, and empty where nothing could be read."""

    checked_at: datetime
    took_ms: int
    findings: Sequence[Finding]
    tables: Sequence[storage.TableSize] = ()
    growth: Growth | None = None
    open_transactions: Sequence[activity.OpenTransaction] = ()
    processes: Sequence[activity.Process] = ()
    slow_statements: Sequence[activity.SlowStatement] = ()

    @property
    def state(self) -> State:
        return worst(finding.state for finding in self.findings)

    @property
    def to_do(self) -> list[Finding]:
        """What needs somebody, the worst first."""
        wanted = [f for f in self.findings if f.state in (State.BAD, State.WARN)]
        return sorted(wanted, key=lambda finding: -ORDER.index(finding.state))

    @property
    def groups(self) -> Mapping[str, list[Finding]]:
        found: dict[str, list[Finding]] = {}
        for finding in self.findings:
            found.setdefault(finding.group, []).append(finding)
        return found


async def report_over(asked: Asking) -> OperationsReport:
    """Everything, over one connection."""
    began = time.monotonic()
    findings = await ask_all(CHECKS, asked)
    grown = await bounded(read_growth(asked))
    tables = storage.with_growth(await bounded(storage.table_sizes(asked), []), grown)
    transactions = await bounded(activity.open_transactions(asked), [])
    processes = await bounded(activity.processes(asked), [])
    statements = await bounded(activity.slow_statements(asked), [])
    took_ms = round((time.monotonic() - began) * 1000)
    return OperationsReport(
        datetime.now(UTC), took_ms, findings, tables, grown, transactions, processes, statements
    )


@dataclass
class Operations:
    """Of one process. Looking costs one connection, however many look in the same language."""

    database: Database
    settings: Settings
    limits: RateLimits
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    # By language: the report, and until when it is kept.
    _last: dict[str, tuple[OperationsReport, float]] = field(default_factory=dict)

    async def report(self, actor: Actor) -> OperationsReport:
        """At most ``KEPT_S`` old. Raise ``Forbidden``."""
        actor.require(Permission.OPERATIONS_READ)
        async with self._asking:
            language = spoken().tag
            report, until = self._last.get(language, (None, 0.0))
            if report is None or time.monotonic() >= until:
                report = await self._ask()
                self._last[language] = report, time.monotonic() + KEPT_S
            return report

    async def _ask(self) -> OperationsReport:
        try:
            async with asking(self.database, self.settings, self._here()) as asked:
                return await report_over(asked)
        except Unavailable:
            return OperationsReport(datetime.now(UTC), 0, [UNREACHABLE])

    def _here(self) -> Mapping[str, Any]:
        pool = self.database.engine.pool
        sizes = {}
        if isinstance(pool, QueuePool):
            sizes = {"pool_used": pool.checkedout(), "pool_size": pool.size()}
        return {
            **sizes,
            "refused": dict(self.limits.refused),
            "redis_is_degraded": self.limits.is_degraded,
        }
