"""hours to be counted anew have one table, for sums over runs and for calls of tools"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "c41d7be05f92"
down_revision: str | Sequence[str] | None = "b8e41f6a9c23"
branch_labels = None
depends_on = None

# No run changes meanwhile: its mark would go where nobody looks any more.
NO_WRITERS = "LOCK TABLE executions IN SHARE ROW EXCLUSIVE MODE"
# Once a statement, over all of its rows. A transaction marks an hour once, and meets no other.
MARK_IN_ONE = """
CREATE OR REPLACE FUNCTION mark_changed_hours() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO stale_hours (figures, agent_id, hour)
        SELECT DISTINCT 'executions', agent_id, date_trunc('hour', started_at, 'UTC')
        FROM new_rows ON CONFLICT DO NOTHING;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO stale_hours (figures, agent_id, hour)
        SELECT DISTINCT 'executions', agent_id, date_trunc('hour', started_at, 'UTC')
        FROM old_rows ON CONFLICT DO NOTHING;
    ELSE
        INSERT INTO stale_hours (figures, agent_id, hour)
        SELECT 'executions', agent_id, date_trunc('hour', started_at, 'UTC') FROM old_rows
        UNION
        SELECT 'executions', agent_id, date_trunc('hour', started_at, 'UTC') FROM new_rows
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END
$$
"""
MARK_APART = """
CREATE OR REPLACE FUNCTION mark_changed_hours() RETURNS trigger LANGUAGE plpgsql AS $$
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
MOVE_IN = """
INSERT INTO stale_hours (figures, agent_id, hour)
SELECT DISTINCT 'executions', agent_id, hour FROM execution_stats_changed
"""
MOVE_OUT = """
INSERT INTO execution_stats_changed (agent_id, hour)
SELECT DISTINCT agent_id, hour FROM stale_hours WHERE figures = 'executions'
"""
LEAVE_THOSE_OF_CALLS = """
DELETE FROM stale_hours
WHERE figures <> 'tool_calls' OR agent_id NOT IN (SELECT id FROM agents)
"""


def keep(figures: str, *key: str) -> None:
    """Which figures there are, and in which order marks are found."""
    op.drop_constraint(op.f("ck_stale_hours_figures"), "stale_hours", type_="check")
    op.create_check_constraint(
        op.f("ck_stale_hours_figures"), "stale_hours", f"figures IN ({figures})"
    )
    op.drop_constraint(op.f("pk_stale_hours"), "stale_hours", type_="primary")
    op.create_primary_key(op.f("pk_stale_hours"), "stale_hours", ["figures", *key, "transaction"])


def upgrade() -> None:
    op.execute(NO_WRITERS)
    # Runs of an agent that is removed mark their hours while it goes.
    op.drop_constraint(op.f("fk_stale_hours_agent_id_agents"), "stale_hours", type_="foreignkey")
    keep("'executions', 'tool_calls'", "hour", "agent_id")
    op.execute(MOVE_IN)
    op.execute(MARK_IN_ONE)
    op.drop_table("execution_stats_changed")


def downgrade() -> None:
    op.execute(NO_WRITERS)
    op.create_table(
        "execution_stats_changed",
        sa.Column("hour", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("agent_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.PrimaryKeyConstraint("hour", "agent_id", "id", name=op.f("pk_execution_stats_changed")),
    )
    op.execute(MOVE_OUT)
    op.execute(MARK_APART)
    op.execute(LEAVE_THOSE_OF_CALLS)
    keep("'tool_calls'", "agent_id", "hour")
    op.create_foreign_key(
        op.f("fk_stale_hours_agent_id_agents"),
        "stale_hours",
        "agents",
        ["agent_id"],
        ["id"],
        ondelete="CASCADE",
    )
