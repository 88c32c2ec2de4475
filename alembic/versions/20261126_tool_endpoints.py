"""where tools of kind http are called, and the headers that are sent there"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "b2d8460f7a91"
down_revision: str | Sequence[str] | None = "b6f03d815ea2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tools", sa.Column("endpoint", postgresql.JSONB(none_as_null=True)))
    op.add_column(
        "tools",
        sa.Column(
            "header_names",
            postgresql.ARRAY(sa.String(length=100)),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
    )
    op.add_column("tools", sa.Column("sealed_headers", sa.LargeBinary()))


def downgrade() -> None:
    op.drop_column("tools", "sealed_headers")
    op.drop_column("tools", "header_names")
    op.drop_column("tools", "endpoint")
