"""runs can be found by cost, latency and errors"""

from collections.abc import Sequence

from alembic import op

revision: str = "b7d20c94e1a6"
down_revision: str | Sequence[str] | None = "b7e2194c05da"
branch_labels = None
depends_on = None

INDEX = "ix_executions_outliers"


def upgrade() -> None:
    op.create_index(
        INDEX,
        "executions",
        ["cost", "latency_ms", "error_count"],
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 8, "autosummarize": True},
    )


def downgrade() -> None:
    op.drop_index(INDEX, "executions")
