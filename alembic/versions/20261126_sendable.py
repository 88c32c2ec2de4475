"""rejected spans know from when on they may be sent again, if ever"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "b0e4c7a1f926"
down_revision: str | Sequence[str] | None = "a4d0c7e61b52"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Those that are kept already may be sent again now; the default fills them without a rewrite.
    column = sa.Column("sendable_at", sa.DateTime(timezone=True), server_default=sa.func.now())
    op.add_column("rejected_spans", column)
    op.alter_column("rejected_spans", "sendable_at", server_default=None)


def downgrade() -> None:
    op.drop_column("rejected_spans", "sendable_at")
