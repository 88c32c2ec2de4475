"""runs are summed by the hour, and triggers say which hours changed since"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "a9d3f60c7e14"
down_revision: str | Sequence[str] | None = "b83c5d0e7a41"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)
STATUSES = ("pending", "running", "succeeded", "failed", "cancelled", "stalled")

# Once a statement, over all of its rows; rows are only added, so writers do not meet.
FUNCTION = """
CREATE FUNCTION mark_changed_hours() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO execution_stats_changed (agent_id, hour)
        SELECT DISTINCT agent_id, date_trunc('hour', started_at, 'UTC') FROM new_rows;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO execution_stats_changed (agent_id, hour)
        SELECT DISTINCT agent_id, date_trunc('hour', started_at, 'UTC') FROM old_rows;
    ELSE
        INSERT INTO execution_stats_changed (agent_id, hour)
        SELECT agent_id, date_trunc('hour', started_at, 'UTC') FROM old_rows
        UNION
        SELECT agent_id, date_trunc('hour', started_at, 'UTC') FROM new_rows;
    END IF;
    RETURN NULL;
END
$$
"""
TRIGGERS = {
    "INSERT": "REFERENCING NEW TABLE AS new_rows",
    "UPDATE": "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "DELETE": "REFERENCING OLD TABLE AS old_rows",
}
MARK_ALL = """
INSERT INTO execution_stats_changed (agent_id, hour)
SELECT DISTINCT agent_id, date_trunc('hour', started_at, 'UTC') FROM executions
"""


def trigger_name(operation: str) -> str:
    return f"mark_changed_hours_{operation.lower()}"


def make_sums() -> None:
    op.create_table(
        "execution_stats_hourly",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("hour", MOMENT, nullable=False),
        sa.Column("agent_id", sa.BigInteger(), nullable=False),
        sa.Column("model_name", sa.String(length=200), nullable=True),
        sa.Column(
            "status",
            sa.Enum(*STATUSES, name="status", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("runs", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.Numeric(), nullable=True),
        sa.Column("unpriced", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", sa.Numeric(), nullable=True),
        sa.Column("output_tokens", sa.Numeric(), nullable=True),
        sa.Column("latency_buckets", postgresql.ARRAY(sa.SmallInteger()), nullable=False),
        sa.Column("latency_counts", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_execution_stats_hourly")),
    )
    op.create_index(
        "uq_execution_stats_hourly_agent_id",
        "execution_stats_hourly",
        ["agent_id", "hour", "model_name", "status"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_index("ix_execution_stats_hourly_hour", "execution_stats_hourly", ["hour"])


def make_marks() -> None:
    op.create_table(
        "execution_stats_changed",
        sa.Column("hour", MOMENT, nullable=False),
        sa.Column("agent_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.PrimaryKeyConstraint("hour", "agent_id", "id", name=op.f("pk_execution_stats_changed")),
    )
    op.execute(FUNCTION)
    for operation, tables in TRIGGERS.items():
        op.execute(
            f"CREATE TRIGGER {trigger_name(operation)} AFTER {operation} ON executions "
            f"{tables} FOR EACH STATEMENT EXECUTE FUNCTION mark_changed_hours()"
        )
    op.execute(MARK_ALL)


def upgrade() -> None:
    make_sums()
    make_marks()


def downgrade() -> None:
    for operation in TRIGGERS:
        op.execute(f"DROP TRIGGER {trigger_name(operation)} ON executions")
    op.execute("DROP FUNCTION mark_changed_hours()")
    op.drop_table("execution_stats_changed")
    op.drop_table("execution_stats_hourly")
