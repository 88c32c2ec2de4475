"""The installation's health, for programs."""

from datetime import date, datetime
from enum import StrEnum

from app.schemas.base import Output


class State(StrEnum):
    """How something stands; ``unknown`` where it could not be asked, or nobody ever noted it."""

    OK = "ok"
    UNKNOWN = "unknown"
    WARN = "warn"
    BAD = "bad"


class FindingRead(Output):
    """What one check says."""

    key: str
    """Stays the same from version to version."""
    group: str
    name: str
    state: State
    figure: str
    """A few words for people."""
    advice: str
    """What to do; empty where nothing is to be done."""
    help: str
    """The page and section of the manual, under `/help/`."""


class TableSizeRead(Output):
    """Partitions count under their table; rows are estimates of the planner's statistics."""

    name: str
    partitions: int
    row_count: int
    table_bytes: int
    index_bytes: int
    toast_bytes: int
    dead_rows: int
    vacuumed_at: datetime | None
    bytes_per_day: float | None
    """By what was measured in the last month; null while that is less than a day."""


class GrowthRead(Output):
    """How fast the whole database grew between two moments at which it was measured."""

    since: datetime
    until: datetime
    bytes_per_day: float
    full_on: date | None
    """When the disk is full at this pace; null where that is not seen from here, or far off."""


class OpenTransactionRead(Output):
    """One that is open for long, or waits for a lock; its statement is without its values."""

    pid: int
    application: str
    state: str
    age_s: float
    is_waiting: bool
    blocked_by: list[int]
    statement: str


class ProcessRead(Output):
    """A program with connections to this database."""

    name: str
    connections: int
    active: int
    seen_for_s: float


class SlowStatementRead(Output):
    """From pg_stat_statements, where PostgreSQL records them; without values."""

    statement: str
    calls: int
    mean_ms: float
    total_ms: float
    row_count: int


class OperationsRead(Output):
    """The report of a moment; `state` is the worst of its findings."""

    state: State
    checked_at: datetime
    took_ms: int
    findings: list[FindingRead]
    tables: list[TableSizeRead]
    """The largest first."""
    growth: GrowthRead | None
    """Null while it was measured for less than a day."""
    open_transactions: list[OpenTransactionRead]
    """The oldest first."""
    processes: list[ProcessRead]
    slow_statements: list[SlowStatementRead]
    """Those that took the most time in all."""
