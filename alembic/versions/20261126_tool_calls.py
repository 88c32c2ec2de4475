"""calls of tools, counted by the hour and held against their schemas"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "1f6be92d40c8"
down_revision: str | Sequence[str] | None = "91b3e6f0d7c4"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)
# What came before is counted too, as far back as pages look.
MARK_RECENT = """
INSERT INTO stale_hours (figures, agent_id, hour)
SELECT DISTINCT 'tool_calls', agent_id, date_trunc('hour', started_at)
FROM executions WHERE started_at > now() - interval '31 days'
"""


def one_of(table: str, column: str, values: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"{column} IN ({values})", name=op.f(f"ck_{table}_{column}"))


def upgrade() -> None:
    op.create_table(
        "tool_call_hours",
        sa.Column("agent_id", sa.BigInteger(), nullable=False),
        sa.Column("hour", MOMENT, nullable=False),
        sa.Column("tool_name", sa.String(200), nullable=False),
        sa.Column("tool_id", sa.BigInteger(), nullable=True),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("calls", "errors", "unoffered", "checked", "broken")
        ),
        sa.Column(
            "sent", postgresql.ARRAY(sa.String(100)), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("counted_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"],
            ["agents.id"],
            name=op.f("fk_tool_call_hours_agent_id_agents"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tool_id"],
            ["tools.id"],
            name=op.f("fk_tool_call_hours_tool_id_tools"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("agent_id", "hour", "tool_name", name=op.f("pk_tool_call_hours")),
    )
    op.create_index("ix_tool_call_hours_tool_id_hour", "tool_call_hours", ["tool_id", "hour"])
    op.create_index("ix_tool_call_hours_hour", "tool_call_hours", ["hour"])
    create_problems()
    create_stale_hours()


def create_problems() -> None:
    op.create_table(
        "tool_call_problems",
        sa.Column("agent_id", sa.BigInteger(), nullable=False),
        sa.Column("hour", MOMENT, nullable=False),
        sa.Column("tool_name", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("what", sa.String(160), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.String(160), nullable=True),
        sa.Column("execution_id", sa.BigInteger(), nullable=False),
        sa.Column("span_id", sa.LargeBinary(8), nullable=True),
        one_of("tool_call_problems", "kind", "'broken', 'unknown_property'"),
        sa.ForeignKeyConstraint(
            ["agent_id", "hour", "tool_name"],
            ["tool_call_hours.agent_id", "tool_call_hours.hour", "tool_call_hours.tool_name"],
            name=op.f("fk_tool_call_problems_agent_id_hour_tool_name_tool_call_hours"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "agent_id", "hour", "tool_name", "kind", "what", name=op.f("pk_tool_call_problems")
        ),
    )


def create_stale_hours() -> None:
    op.create_table(
        "stale_hours",
        sa.Column("figures", sa.String(32), nullable=False),
        sa.Column("agent_id", sa.BigInteger(), nullable=False),
        sa.Column("hour", MOMENT, nullable=False),
        sa.Column(
            "transaction",
            sa.BigInteger(),
            server_default=sa.text("txid_current()"),
            nullable=False,
        ),
        one_of("stale_hours", "figures", "'tool_calls'"),
        sa.ForeignKeyConstraint(
            ["agent_id"],
            ["agents.id"],
            name=op.f("fk_stale_hours_agent_id_agents"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "figures", "agent_id", "hour", "transaction", name=op.f("pk_stale_hours")
        ),
    )
    op.execute(MARK_RECENT)


def downgrade() -> None:
    op.drop_table("stale_hours")
    op.drop_table("tool_call_problems")
    op.drop_table("tool_call_hours")
