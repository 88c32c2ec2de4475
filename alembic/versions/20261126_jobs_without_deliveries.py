"""jobs are listed without the deliveries of webhooks"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "5e7c20a9d1b8"
down_revision: str | Sequence[str] | None = "1f6be92d40c8"
branch_labels = None
depends_on = None

NAME = "ix_jobs_without_deliveries"


def upgrade() -> None:
    others = sa.text("kind <> 'deliver_webhook'")
    op.create_index(NAME, "jobs", ["created_at", "id"], postgresql_where=others)


def downgrade() -> None:
    op.drop_index(NAME, table_name="jobs")
