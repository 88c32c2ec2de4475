"""What is stored: the size of each table, what vacuum has left, and the room there still is."""

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.core.migrations import SCHEMAS, head_revision, is_newer
from app.core.texts import _, lazy, ngettext
from app.core.wording import share, size
from app.schemas.operations import State
from app.services.operations.asking import Asking, Check
from app.services.operations.findings import Outcome, graded, judged, ok, unknown
from app.services.operations.growth import MAKE_ROOM, Growth, growth

GROUP = lazy("Storage")
MOST_TABLES = 60
# Partitions count under their table. What pg_class and the statistics estimate reads no table.
TABLES = """
SELECT coalesce(pg_partition_root(c.oid), c.oid)::regclass::text AS name,
    count(*) FILTER (WHERE c.relispartition) AS partitions,
    sum(CASE WHEN c.reltuples < 0 THEN coalesce(s.n_live_tup, 0) ELSE c.reltuples END)::bigint
        AS row_count,
    sum(pg_relation_size(c.oid))::bigint AS table_bytes,
    sum(pg_indexes_size(c.oid))::bigint AS index_bytes,
    sum(CASE WHEN c.reltoastrelid = 0 THEN 0
        ELSE pg_total_relation_size(c.reltoastrelid) END)::bigint AS toast_bytes,
    coalesce(sum(s.n_dead_tup), 0)::bigint AS dead_rows,
    coalesce(sum(s.n_live_tup), 0)::bigint AS live_rows,
    max(greatest(s.last_autovacuum, s.last_vacuum)) AS vacuumed_at
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
WHERE c.relkind IN ('r', 'p') AND n.nspname = ANY($1)
GROUP BY 1
ORDER BY sum(pg_total_relation_size(c.oid)) DESC, 1
LIMIT $2
"""
DATABASE_SIZE = "SELECT pg_database_size(current_database())"
INVALID_INDEXES = """
SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid AND c.relkind = 'r' AND n.nspname = ANY($1)
"""
# A partition is named after its month: the one of the next month is made long before it is needed.
COMING = """
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relispartition AND c.relkind = 'r'
    AND c.relname LIKE '%_p' || to_char(clock_timestamp() + interval '1 month', 'YYYYMM')
"""
PARTITIONED = """
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'p' AND n.nspname = 'public'
"""
REVISION = "SELECT version_num FROM alembic_version"
DEAD_ROWS, DEAD_SHARE = 10_000, 0.2


@dataclass(frozen=True, slots=True)
class TableSize:
    """Estimates but for the bytes; ``dead_share`` is between 0 and 1.

    ``bytes_per_day`` is ``None`` while too little was measured.
    """

    name: str
    partitions: int
    row_count: int
    table_bytes: int
    index_bytes: int
    toast_bytes: int
    dead_rows: int
    live_rows: int
    vacuumed_at: datetime | None
    bytes_per_day: float | None = None

    @property
    def total_bytes(self) -> int:
        return self.table_bytes + self.index_bytes + self.toast_bytes

    @property
    def dead_share(self) -> float:
        rows = self.dead_rows + self.live_rows
        return self.dead_rows / rows if rows else 0.0

    @property
    def is_bloated(self) -> bool:
        return self.dead_rows >= DEAD_ROWS and self.dead_share >= DEAD_SHARE


async def table_sizes(asked: Asking) -> list[TableSize]:
    """The largest first."""
    return [TableSize(**row) for row in await asked.rows(TABLES, list(SCHEMAS), MOST_TABLES)]


def with_growth(tables: Sequence[TableSize], growth: Growth | None) -> list[TableSize]:
    paces = growth.tables if growth else {}
    return [replace(table, bytes_per_day=paces.get(table.name)) for table in tables]


async def database_size(asked: Asking) -> Outcome:
    return ok(size(await asked.value(DATABASE_SIZE)))


async def bloat(asked: Asking) -> Outcome:
    bloated = [table for table in await table_sizes(asked) if table.is_bloated]
    if not bloated:
        return ok(_("vacuum keeps up"))
    first = max(bloated, key=lambda table: table.dead_rows)
    parts = [_("%(table)s: %(share)s dead", table=first.name, share=share(first.dead_share))]
    parts += [_("and %(count)s more", count=len(bloated) - 1)] if len(bloated) > 1 else []
    return judged(
        graded(first.dead_share, DEAD_SHARE, 0.6),
        ", ".join(parts),
        _(
            "Autovacuum does not keep up with this table. Look for long transactions; then run "
            "VACUUM on it."
        ),
    )


async def indexes(asked: Asking) -> Outcome:
    invalid = await asked.value(INVALID_INDEXES, list(SCHEMAS))
    return judged(
        State.WARN if invalid else State.OK,
        ngettext("%(num)s invalid index", "%(num)s invalid indexes", invalid)
        if invalid
        else _("all valid"),
        _("An index was not built to its end. REINDEX CONCURRENTLY builds it again."),
    )


async def partitions(asked: Asking) -> Outcome:
    wanted, made = await asked.value(PARTITIONED), await asked.value(COMING)
    return judged(
        State.OK if made >= wanted else State.BAD,
        _("next month's are made")
        if made >= wanted
        else _("%(made)s of %(wanted)s for next month", made=made, wanted=wanted),
        _(
            "A worker makes them every day: see that one runs. Without them runs are stored all "
            "the same, but cannot be dropped by month."
        ),
    )


async def migrations(asked: Asking) -> Outcome:
    current = await asked.value(REVISION)
    head = head_revision()
    if is_newer(current):
        return judged(
            State.WARN,
            _("a newer version's, which this one works with"),
            _("An upgrade is under way: replace this process, too, by the newer version."),
        )
    there = _("at %(current)s, not at %(head)s", current=current or _("nothing"), head=head)
    return judged(
        State.OK if current == head else State.BAD,
        _("at head") if current == head else there,
        _("Run: python -m app migrate"),
    )


async def disk(asked: Asking) -> Outcome:
    """Of the data folder; the database's own disk where it is the embedded one."""
    folder = asked.settings.data_dir
    if not folder.is_dir():
        return unknown(_("no data folder"), _("Fine where DATABASE_URL and SECRET_KEY are set."))
    usage = await asyncio.to_thread(shutil.disk_usage, folder)
    free = usage.free / (usage.used + usage.free)  # what only root may use is neither
    state = graded(1 - free, 0.85, 0.95)
    state = State.BAD if usage.free < 500 * 1024**2 else state
    return judged(
        state,
        _("%(size)s free (%(share)s)", size=size(usage.free), share=share(free)),
        str(MAKE_ROOM),
    )


CHECKS = (
    Check("migrations", GROUP, lazy("Migrations"), migrations, "operations#migrations"),
    Check("database_size", GROUP, lazy("Database"), database_size, "operations#size-and-growth"),
    Check("growth", GROUP, lazy("Growth"), growth, "operations#size-and-growth"),
    Check("disk", GROUP, lazy("Disk of the data folder"), disk, "operations#size-and-growth"),
    Check("bloat", GROUP, lazy("Dead rows"), bloat, "operations#vacuum"),
    Check("indexes", GROUP, lazy("Indexes"), indexes, "operations#vacuum"),
    Check("partitions", GROUP, lazy("Partitions"), partitions, "operations#migrations"),
)
