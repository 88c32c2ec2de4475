"""parameters of a job that only the work itself may read"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "a41d7c09be35"
down_revision: str | Sequence[str] | None = "8d40f6b1e257"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("sealed", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "sealed")
