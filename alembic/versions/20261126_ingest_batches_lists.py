"""batches are listed by age: everyone's, one person's, one key's, and those with rejected spans"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "b83c5d0e7a41"
down_revision: str | Sequence[str] | None = "5e7c20a9d1b8"
branch_labels = None
depends_on = None

TABLE = "ingest_batches"
BY_AGE = ["created_at", "id"]


def upgrade() -> None:
    op.drop_index("ix_ingest_batches_user_id_id", table_name=TABLE)
    op.create_index("ix_ingest_batches_user_id_created_at_id", TABLE, ["user_id", *BY_AGE])
    op.create_index("ix_ingest_batches_api_key_id_created_at_id", TABLE, ["api_key_id", *BY_AGE])
    op.create_index(
        "ix_ingest_batches_rejected",
        TABLE,
        BY_AGE,
        postgresql_where=sa.text("rejected_count > 0"),
    )


def downgrade() -> None:
    op.drop_index("ix_ingest_batches_rejected", table_name=TABLE)
    op.drop_index("ix_ingest_batches_api_key_id_created_at_id", table_name=TABLE)
    op.drop_index("ix_ingest_batches_user_id_created_at_id", table_name=TABLE)
    op.create_index("ix_ingest_batches_user_id_id", TABLE, ["user_id", "id"])
