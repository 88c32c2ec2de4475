"""how large tables were, so that growth can be told"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "a41f7c0be963"
down_revision: str | Sequence[str] | None = "e7a4c90d21f8"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "storage_sizes",
        sa.Column("measured_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("name", sa.String(length=130), nullable=False),
        sa.Column("total_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("measured_at", "name", name=op.f("pk_storage_sizes")),
    )


def downgrade() -> None:
    op.drop_table("storage_sizes")
