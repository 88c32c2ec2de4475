"""log records that tell of a span are kept until the span has them"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "6d2f8b1c40e7"
down_revision: str | Sequence[str] | None = "a9d3f60c7e14"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "span_logs",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("trace_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("span_id", sa.LargeBinary(length=8), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("time_ns", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("attributes", postgresql.JSONB(), nullable=False),
        sa.Column("user_id", sa.BigInteger()),
        sa.Column("agent_id", sa.BigInteger()),
        sa.Column("sees_all", sa.Boolean(), nullable=False),
        sa.Column("execution_id", sa.BigInteger()),
        sa.Column(
            "created_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("fk_span_logs_user_id_users"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["execution_id"],
            ["executions.id"],
            name=op.f("fk_span_logs_execution_id_executions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_span_logs")),
        sa.UniqueConstraint(
            "trace_id", "span_id", "sha256", name=op.f("uq_span_logs_trace_id_span_id_sha256")
        ),
    )
    op.create_index("ix_span_logs_created_at", "span_logs", ["created_at"])
    op.create_index(op.f("ix_span_logs_user_id"), "span_logs", ["user_id"])
    op.create_index(op.f("ix_span_logs_execution_id"), "span_logs", ["execution_id"])
    op.add_column(
        "ingest_batches",
        sa.Column("event_count", sa.BigInteger(), server_default="0", nullable=False),
    )


def downgrade() -> None:
    op.drop_column("ingest_batches", "event_count")
    op.drop_table("span_logs")
