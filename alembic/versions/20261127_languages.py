"""people choose the language that pages speak to them"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "5b08e3c7d19a"
down_revision: str | Sequence[str] | None = "c7d2e58a1b40"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("language", sa.String(35), nullable=True))


def downgrade() -> None:
    op.drop_column("users", "language")
