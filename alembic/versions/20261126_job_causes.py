"""jobs know the request that caused them, and the trace that they belong to"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "c58b20e7f4d1"
down_revision: str | Sequence[str] | None = "e91f04b7d2a6"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("request_id", sa.String(length=64)))
    op.add_column("jobs", sa.Column("traceparent", sa.String(length=64)))


def downgrade() -> None:
    op.drop_column("jobs", "traceparent")
    op.drop_column("jobs", "request_id")
