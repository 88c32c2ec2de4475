"""users are found by words of their name and address, and listed by name"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "7c1d5be04a92"
down_revision: str | Sequence[str] | None = "60dbaf337d94"
branch_labels = None
depends_on = None

WORDS = (
    "to_tsvector('simple'::regconfig, full_name || ' ' || email || ' ' || "
    "translate(email, '@.-_+', '     '))"
)


def upgrade() -> None:
    op.add_column(
        "users",
        sa.Column(
            "search", postgresql.TSVECTOR(), sa.Computed(WORDS, persisted=True), nullable=False
        ),
    )
    op.create_index("ix_users_search", "users", ["search"], postgresql_using="gin")
    op.create_index("ix_users_full_name_id", "users", ["full_name", "id"])
    op.create_index("ix_users_created_at_id", "users", ["created_at", "id"])


def downgrade() -> None:
    op.drop_index("ix_users_created_at_id", table_name="users")
    op.drop_index("ix_users_full_name_id", table_name="users")
    op.drop_index("ix_users_search", table_name="users", postgresql_using="gin")
    op.drop_column("users", "search")
