"""who looks at which page at this moment"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "5e0c7b2f9d14"
down_revision: str | Sequence[str] | None = "3b7e2a94c6d1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "presences",
        sa.Column("socket_id", sa.String(length=64), nullable=False),
        sa.Column("room", sa.String(length=200), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("process_id", postgresql.UUID(as_uuid=True), nullable=False),
        sa.Column(
            "seen_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("fk_presences_user_id_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("socket_id", "room", name=op.f("pk_presences")),
        prefixes=["UNLOGGED"],
    )
    op.create_index("ix_presences_room", "presences", ["room"])
    op.create_index("ix_presences_process_id", "presences", ["process_id"])
    op.create_index(op.f("ix_presences_user_id"), "presences", ["user_id"])


def downgrade() -> None:
    op.drop_table("presences")
