"""Who does what in the database at this moment: long transactions, lock waits, processes."""

from dataclasses import dataclass
from datetime import timedelta

from app.services.operations.asking import Asking
from app.services.operations.wording import without_values

SHOWN = 20
OPEN = """
SELECT pid, coalesce(application_name, '') AS application, coalesce(state, 'hidden') AS state,
    clock_timestamp() - coalesce(xact_start, query_start) AS age,
    wait_event_type = 'Lock' AS is_waiting, pg_blocking_pids(pid) AS blocked_by,
    coalesce(query, '') AS statement
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
    AND (clock_timestamp() - xact_start > interval '5 seconds'
        OR (wait_event_type = 'Lock' AND clock_timestamp() - query_start > interval '1 second'))
ORDER BY coalesce(xact_start, query_start)
LIMIT $1
"""
PROCESSES = """
SELECT coalesce(nullif(application_name, ''), 'unnamed') AS name, count(*) AS connections,
    count(*) FILTER (WHERE state = 'active') AS active,
    clock_timestamp() - min(backend_start) AS seen_for
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND datname = current_database()
    AND pid <> pg_backend_pid()
GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT $1
"""
STATEMENTS = """
SELECT s.query AS statement, s.calls, s.mean_exec_time AS mean_ms, s.total_exec_time AS total_ms,
    s.rows AS row_count
FROM {schema}.pg_stat_statements s
JOIN pg_database d ON d.oid = s.dbid AND d.datname = current_database()
WHERE s.query NOT LIKE '%pg_stat_%'
ORDER BY s.total_exec_time DESC LIMIT $1
"""
STATEMENTS_SCHEMA = """
SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_stat_statements'
"""


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """``statement`` is without its values; ``blocked_by`` names the pids it waits for."""

    pid: int
    application: str
    state: str
    age: timedelta
    is_waiting: bool
    blocked_by: list[int]
    statement: str

    @property
    def age_s(self) -> float:
        return self.age.total_seconds()


@dataclass(frozen=True, slots=True)
class Process:
    """One program with connections to this database."""

    name: str
    connections: int
    active: int
    seen_for: timedelta

    @property
    def seen_for_s(self) -> float:
        return self.seen_for.total_seconds()


@dataclass(frozen=True, slots=True)
class SlowStatement:
    """By all the time it took since the statistics were reset."""

    statement: str
    calls: int
    mean_ms: float
    total_ms: float
    row_count: int


async def open_transactions(asked: Asking) -> list[OpenTransaction]:
    """The oldest first: those of over five seconds, and those that wait for a lock."""
    return [
        OpenTransaction(
            **{
                **row,
                "statement": without_values(row["statement"]),
                "is_waiting": bool(row["is_waiting"]),
            }
        )
        for row in await asked.rows(OPEN, SHOWN)
    ]


async def processes(asked: Asking) -> list[Process]:
    return [Process(**row) for row in await asked.rows(PROCESSES, SHOWN)]


async def slow_statements(asked: Asking) -> list[SlowStatement]:
    """None where PostgreSQL does not record them."""
    schema = await asked.value(STATEMENTS_SCHEMA)
    if schema is None:
        return []
    rows = await asked.rows(STATEMENTS.format(schema=schema), SHOWN)
    return [SlowStatement(**{**row, "statement": without_values(row["statement"])}) for row in rows]
