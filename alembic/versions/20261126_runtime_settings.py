"""superusers change some settings while everything runs, and every process hears of it"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "a90d3c71e6b4"
down_revision: str | Sequence[str] | None = "a4f7219c3e60"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "instance_settings",
        sa.Column(
            "overrides",
            postgresql.JSONB(none_as_null=True),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
    )
    op.execute(
        "CREATE TRIGGER tell_to_forget AFTER INSERT OR DELETE OR UPDATE OF overrides "
        "ON instance_settings FOR EACH STATEMENT EXECUTE FUNCTION tell_to_forget()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER tell_to_forget ON instance_settings")
    op.drop_column("instance_settings", "overrides")
