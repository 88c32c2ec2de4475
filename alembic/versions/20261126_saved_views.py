"""lists are kept as views, and open as each person wants"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "e1f4a86d03c7"
down_revision: str | Sequence[str] | None = "b7d20c94e1a6"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)
NOW = sa.text("clock_timestamp()")
LISTS = "resource IN ('executions', 'agents', 'tools')"


def upgrade() -> None:
    op.create_table(
        "saved_views",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("resource", sa.String(32), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("filters", postgresql.JSONB(), nullable=False),
        sa.Column("sort", sa.String(40), server_default=sa.text("''"), nullable=False),
        sa.Column(
            "columns",
            postgresql.ARRAY(sa.String(40)),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("is_shared", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("deleted_at", MOMENT, nullable=True),
        sa.Column("row_version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("updated_at", MOMENT, server_default=NOW, nullable=False),
        sa.CheckConstraint(LISTS, name=op.f("ck_saved_views_resource")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_saved_views_user_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_views")),
    )
    op.create_index(
        "uq_saved_views_user_id_resource_name_live",
        "saved_views",
        ["user_id", "resource", "name"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index("ix_saved_views_resource_name_id", "saved_views", ["resource", "name", "id"])
    op.create_index("ix_saved_views_created_at_id", "saved_views", ["created_at", "id"])
    op.create_index("ix_saved_views_name_id", "saved_views", ["name", "id"])
    op.create_table(
        "list_preferences",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("resource", sa.String(32), nullable=False),
        sa.Column(
            "columns",
            postgresql.ARRAY(sa.String(40)),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("default_view_id", sa.BigInteger(), nullable=True),
        sa.Column("row_version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("updated_at", MOMENT, server_default=NOW, nullable=False),
        sa.CheckConstraint(LISTS, name=op.f("ck_list_preferences_resource")),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("fk_list_preferences_user_id_users"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["default_view_id"],
            ["saved_views.id"],
            name=op.f("fk_list_preferences_default_view_id_saved_views"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_list_preferences")),
    )
    op.create_index(
        "uq_list_preferences_user_id_resource",
        "list_preferences",
        ["user_id", "resource"],
        unique=True,
    )
    op.create_index("ix_list_preferences_default_view_id", "list_preferences", ["default_view_id"])


def downgrade() -> None:
    op.drop_table("list_preferences")
    op.drop_table("saved_views")
