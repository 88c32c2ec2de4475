"""keys are listed by age, and by when they were last used"""

from collections.abc import Sequence

from alembic import op

revision: str = "a41f0c8be3d7"
down_revision: str | Sequence[str] | None = "7c1d5be04a92"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_api_keys_created_at_id", "api_keys", ["created_at", "id"])
    op.create_index("ix_api_keys_last_used_at", "api_keys", ["last_used_at"])


def downgrade() -> None:
    op.drop_index("ix_api_keys_last_used_at", table_name="api_keys")
    op.drop_index("ix_api_keys_created_at_id", table_name="api_keys")
