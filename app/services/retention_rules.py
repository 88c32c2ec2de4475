"""Which rows are older than they are kept for, as SQL that counting and removing share."""

from dataclasses import dataclass

from sqlalchemy import text

from app.core.config import Settings
from app.core.texts import lazy

# As in the function drop_month of the database, which drops whole months of steps and bodies.
IS_ANNOTATED = "EXISTS (SELECT FROM feedback f WHERE f.execution_id = e.id)"
IS_OPEN = "e.status IN ('pending', 'running')"
MAY_GO = (
    f"(e.deleted_at IS NOT NULL OR (e.status <> 'failed' AND NOT {IS_OPEN} AND NOT {IS_ANNOTATED}))"
)
# A sample is of whole pages, the same at each look; 100 per cent of them is all of them.
SAMPLED_PERCENT = text("""
SELECT least(100, 100.0 * :most_bytes / greatest(pg_relation_size('executions'), 1))::float8
""")
RUNS = text(f"""
SELECT count(*) AS all, count(*) FILTER (WHERE going) AS going,
    coalesce(sum(span_count) FILTER (WHERE going), 0) AS steps,
    count(*) FILTER (WHERE NOT going AND is_failed) AS failed,
    count(*) FILTER (WHERE NOT going AND NOT is_failed AND is_open) AS open,
    count(*) FILTER (WHERE NOT going AND NOT is_failed AND NOT is_open) AS annotated
FROM (
    SELECT e.span_count, {MAY_GO} AS going, e.status = 'failed' AS is_failed, {IS_OPEN} AS is_open
    FROM executions e TABLESAMPLE SYSTEM (CAST(:percent AS real)) REPEATABLE (1)
    WHERE e.started_at < :before
        AND e.started_at >= coalesce(CAST(:after AS timestamptz), '-infinity')
) runs
""")  # noqa: S608  (of constants)
# Partitions are named by their month; rows of other times are in the default one.
MONTHS = text("""
SELECT CAST(coalesce(sum(pg_total_relation_size(i.inhrelid)), 0) AS bigint)
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE c.relname ~ CASE WHEN :with_spans THEN '^(spans|execution_bodies|span_bodies)_p[0-9]{6}$'
                  ELSE '^(execution_bodies|span_bodies)_p[0-9]{6}$' END
    AND to_date(right(c.relname, 6), 'YYYYMM') < CAST(:before AS timestamptz) AT TIME ZONE 'UTC'
    AND to_date(right(c.relname, 6), 'YYYYMM')
        >= coalesce(CAST(:after AS timestamptz) AT TIME ZONE 'UTC', '-infinity')
""")
REMOVE_RUNS = text(f"""
DELETE FROM executions WHERE id IN (
    SELECT e.id FROM executions e
    WHERE e.started_at < (SELECT runs_before FROM retention_states) AND {MAY_GO}
        AND e.started_at >= coalesce(CAST(:after AS timestamptz), '-infinity')
    ORDER BY e.started_at, e.id LIMIT :at_once FOR UPDATE SKIP LOCKED
) RETURNING trace_id, started_at
""")  # noqa: S608  (of constants)
# No foreign key leads from here to the runs.
REMOVE_THEIR_BODIES = text("DELETE FROM span_bodies WHERE trace_id = ANY (:traces)")
# Of bodies in months that are over only the spared are left, so that this looks through few.
REMOVE_ORIGINS = text("""
WITH over AS (SELECT greatest(runs_before, bodies_before) AS before FROM retention_states)
DELETE FROM span_origins WHERE id IN (
    SELECT o.id FROM span_origins o
    WHERE o.used_until < (SELECT before AT TIME ZONE 'UTC' FROM over) AND NOT EXISTS (
        SELECT FROM span_bodies b
        WHERE b.origin_id = o.id AND b.started_at < (SELECT before FROM over)
    )
    LIMIT :at_once FOR UPDATE OF o SKIP LOCKED
) RETURNING id
""")
MONTHS_TO_DROP = text("""
SELECT p.relname AS partitioned, to_date(right(c.relname, 6), 'YYYYMM') AS month
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
JOIN retention_states s ON (to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month')
    AT TIME ZONE 'UTC'
    <= CASE p.relname WHEN 'spans' THEN s.runs_before
       ELSE greatest(s.runs_before, s.bodies_before) END
WHERE c.relname ~ '^(spans|execution_bodies|span_bodies)_p[0-9]{6}$'
ORDER BY month, partitioned
""")


@dataclass(frozen=True, slots=True)
class Rule:
    """``old`` says which rows of ``table`` (as ``r``) may go; ``:kept`` is an interval.

    It goes by ``statement_timestamp``, which an index can be asked for.

    ``setting`` is the variable of how long. ``at_once`` rows go in one transaction, or fewer.
    """

    words: str
    setting: str
    table: str
    old: str
    at_once: int = 2_000

    def days(self, settings: Settings) -> int:
        """For which its rows are kept."""
        kept: int = getattr(settings, self.setting.lower())
        return kept

    @property
    def count(self) -> str:
        """Up to ``:most``; none of what stays is read, but the few that ``old`` spares."""
        some = f"SELECT FROM {self.table} r WHERE {self.old} LIMIT :most"
        return f"SELECT count(*) FROM ({some}) found"  # noqa: S608

    @property
    def remove(self) -> str:
        """``:at_once`` rows at most."""
        some = f"SELECT r.id FROM {self.table} r WHERE {self.old} LIMIT :at_once"  # noqa: S608
        return f"DELETE FROM {self.table} WHERE id IN ({some} FOR UPDATE SKIP LOCKED)"  # noqa: S608


# Analyses are what somebody asked to know, and stay; so do jobs of changes that can be undone.
# Those that sent messages go with the messages.
FINISHED_JOBS = Rule(
    lazy("Finished jobs"),
    "JOBS_KEPT_DAYS",
    "jobs",
    "r.status IN ('succeeded', 'failed', 'cancelled') "
    "AND r.kind NOT IN ('analyze_agent', 'deliver_webhook') "
    "AND r.created_at < statement_timestamp() - CAST(:kept AS interval) "
    "AND r.finished_at < statement_timestamp() - CAST(:kept AS interval) "
    "AND NOT EXISTS (SELECT FROM bulk_changes b WHERE b.job_id = r.id)",
)
CHANGES = Rule(
    lazy("Bulk changes, which can be undone until then"),
    "BULK_CHANGES_KEPT_DAYS",
    "bulk_changes",
    "r.started_at < statement_timestamp() - CAST(:kept AS interval) "
    "AND NOT EXISTS (SELECT FROM jobs j WHERE j.id = r.job_id "
    "AND j.status IN ('queued', 'running'))",
)
DELIVERIES = Rule(
    lazy("Messages to webhooks"),
    "WEBHOOK_DELIVERIES_KEPT_DAYS",
    "webhook_deliveries",
    "r.status <> 'pending' AND r.created_at < statement_timestamp() - CAST(:kept AS interval)",
)
DELIVERY_JOBS = Rule(
    lazy("Jobs that sent messages to webhooks"),
    "WEBHOOK_DELIVERIES_KEPT_DAYS",
    "jobs",
    "r.kind = 'deliver_webhook' AND r.status NOT IN ('queued', 'running') "
    "AND r.created_at < statement_timestamp() - CAST(:kept AS interval)",
)
BATCHES = Rule(
    lazy("Receipts of OpenTelemetry, with rejected spans"),
    "INGEST_BATCHES_KEPT_DAYS",
    "ingest_batches",
    "r.created_at < statement_timestamp() - CAST(:kept AS interval)",
    at_once=100,  # each with up to a thousand rejected spans
)
# Changes before jobs: a job stays as long as a change needs it.
RULES = (CHANGES, FINISHED_JOBS, DELIVERIES, DELIVERY_JOBS, BATCHES)
