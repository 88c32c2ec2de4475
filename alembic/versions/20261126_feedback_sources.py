"""feedback says how it came; what came with a span comes once"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "b8e41f6a9c23"
down_revision: str | Sequence[str] | None = "6d2f8b1c40e7"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "feedback", sa.Column("source", sa.String(length=32), server_default="api", nullable=False)
    )
    op.add_column("feedback", sa.Column("sha256", sa.LargeBinary(length=32)))
    op.create_check_constraint(
        op.f("ck_feedback_source"), "feedback", "source IN ('person', 'api', 'otlp')"
    )
    op.create_index(
        "uq_feedback_execution_id_sha256",
        "feedback",
        ["execution_id", "sha256"],
        unique=True,
        postgresql_where=sa.text("sha256 IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("uq_feedback_execution_id_sha256", "feedback")
    op.drop_column("feedback", "sha256")
    op.drop_column("feedback", "source")
