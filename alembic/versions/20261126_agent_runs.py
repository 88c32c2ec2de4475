"""executions that Greenroom runs itself, for as long as they are open"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "e7a1c95d3b06"
down_revision: str | Sequence[str] | None = "b2d8460f7a91"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "agent_runs",
        sa.Column("execution_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "ready",
                "working",
                "waiting",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("plan", postgresql.JSONB(none_as_null=True), nullable=False),
        sa.Column("messages", postgresql.JSONB(none_as_null=True), nullable=False),
        sa.Column("calls", postgresql.JSONB(none_as_null=True), nullable=False),
        sa.Column("turns", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "seen_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["execution_id"],
            ["executions.id"],
            name=op.f("fk_agent_runs_execution_id_executions"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_agent_runs_job_id_jobs"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("execution_id", name=op.f("pk_agent_runs")),
    )
    op.create_index("ix_agent_runs_seen_at", "agent_runs", ["seen_at"], unique=False)
    op.create_index("ix_agent_runs_job_id", "agent_runs", ["job_id"], unique=False)


def downgrade() -> None:
    op.drop_table("agent_runs")
