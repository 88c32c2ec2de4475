"""runs of two owners may have come under one trace id"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "6c1e8fa05b93"
down_revision: str | Sequence[str] | None = "c41d7be05f92"
branch_labels = None
depends_on = None

INDEX = "ix_executions_sent_trace_id"


def upgrade() -> None:
    op.add_column("executions", sa.Column("sent_trace_id", sa.LargeBinary(16), nullable=True))
    # Of the rows that are there none has one, so this reads the table and writes nothing.
    op.create_index(
        INDEX,
        "executions",
        ["sent_trace_id"],
        postgresql_where=sa.text("sent_trace_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index(INDEX, "executions")
    op.drop_column("executions", "sent_trace_id")
