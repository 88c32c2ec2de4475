"""runs and steps know how many tokens were written to a cache, and steps whose model it was"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "4c9e17d6a802"
down_revision: str | Sequence[str] | None = "d3a90c42f871"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("executions", "spans"):
        op.add_column(table, sa.Column("cache_write_tokens", sa.BigInteger(), nullable=True))
    op.add_column("spans", sa.Column("provider_name", sa.String(100), nullable=True))


def downgrade() -> None:
    op.drop_column("spans", "provider_name")
    for table in ("spans", "executions"):
        op.drop_column(table, "cache_write_tokens")
