"""people choose the time zone that moments are shown to them in"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "8d27a4e60f15"
down_revision: str | Sequence[str] | None = "6c1e8fa05b93"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # With a constant default no row is written.
    column = sa.Column("time_zone", sa.String(64), server_default="UTC", nullable=False)
    op.add_column("users", column)


def downgrade() -> None:
    op.drop_column("users", "time_zone")
