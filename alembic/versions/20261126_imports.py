"""files to import, between preview and confirmation"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "e91f04b7d2a6"
down_revision: str | Sequence[str] | None = "e1f4a86d03c7"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)
OBJECT = postgresql.JSONB(none_as_null=True, astext_type=sa.Text())


def upgrade() -> None:
    now = sa.text("clock_timestamp()")
    op.create_table(
        "imports",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("resource", sa.String(length=32), nullable=False),
        sa.Column("file_name", sa.String(length=200), nullable=False),
        sa.Column("plan", OBJECT, nullable=False),
        sa.Column("results", OBJECT, nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=True),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", MOMENT, server_default=now, nullable=False),
        sa.Column("updated_at", MOMENT, server_default=now, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_imports_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
    )
    op.create_index("ix_imports_user_id", "imports", ["user_id"])
    op.create_index("ix_imports_expires_at", "imports", ["expires_at"])


def downgrade() -> None:
    op.drop_table("imports")
