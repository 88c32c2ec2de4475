"""keys can be paused, and every process hears of paused keys and tools"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "c81e5d7a2b90"
down_revision: str | Sequence[str] | None = "e7a1c95d3b06"
branch_labels = None
depends_on = None

KEYS = "user_id, secret_sha256, scopes, agent_id, allowed_cidrs, expires_at, revoked_at"


def watch(table: str, columns: str) -> None:
    op.execute(
        f"CREATE TRIGGER tell_to_forget AFTER INSERT OR DELETE OR UPDATE OF {columns} "
        f"ON {table} FOR EACH STATEMENT EXECUTE FUNCTION tell_to_forget()"
    )


def upgrade() -> None:
    op.add_column(
        "api_keys", sa.Column("paused_at", postgresql.TIMESTAMP(timezone=True), nullable=True)
    )
    op.execute("DROP TRIGGER tell_to_forget ON api_keys")
    watch("api_keys", f"{KEYS}, paused_at")
    watch("tools", "is_active")


def downgrade() -> None:
    op.execute("DROP TRIGGER tell_to_forget ON tools")
    op.execute("DROP TRIGGER tell_to_forget ON api_keys")
    op.drop_column("api_keys", "paused_at")
    watch("api_keys", KEYS)
