"""until which month spans refer to what made them, so that it can go with the last of them"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "c7d2e58a1b40"
down_revision: str | Sequence[str] | None = "a41f7c0be963"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # What is stored already, and what the version before adds, is used until today.
    used_until = sa.Column(
        "used_until", sa.Date(), server_default=sa.text("CURRENT_DATE"), nullable=False
    )
    op.add_column("span_origins", used_until)


def downgrade() -> None:
    op.drop_column("span_origins", "used_until")
