"""the audit log is read without the batches that machines send"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "e7a4c90d21f8"
down_revision: str | Sequence[str] | None = "d90b36f5a1c2"
branch_labels = None
depends_on = None

NAME = "ix_audit_events_at_id_without_batches"


def upgrade() -> None:
    op.create_index(
        NAME,
        "audit_events",
        ["at", "id"],
        postgresql_where=sa.text("action NOT IN ('create_batch', 'ingest')"),
    )


def downgrade() -> None:
    op.drop_index(NAME, table_name="audit_events")
