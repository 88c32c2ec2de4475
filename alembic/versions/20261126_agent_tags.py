"""agents have tags"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "a4d0c7e61b52"
down_revision: str | Sequence[str] | None = "8d27a4e60f15"
branch_labels = None
depends_on = None

INDEX = "ix_agents_tags"


def upgrade() -> None:
    op.add_column(
        "agents",
        sa.Column(
            "tags", postgresql.ARRAY(sa.String(64)), server_default=sa.text("'{}'"), nullable=False
        ),
    )
    op.create_index(INDEX, "agents", ["tags"], postgresql_using="gin")


def downgrade() -> None:
    op.drop_index(INDEX, "agents")
    op.drop_column("agents", "tags")
