"""keys that end soon are found by when they end"""

from collections.abc import Sequence

from alembic import op

revision: str = "e19d4b6f7a02"
down_revision: str | Sequence[str] | None = "b7c1e2f0a954"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_api_keys_expires_at", "api_keys", ["expires_at"])


def downgrade() -> None:
    op.drop_index("ix_api_keys_expires_at", table_name="api_keys")
