"""changes of many rows at once"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "b7e2194c05da"
down_revision: str | Sequence[str] | None = "b0e4c7a1f926"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)
NOW = sa.text("clock_timestamp()")
CHANGES, ROWS = "bulk_changes", "bulk_change_rows"
RESOURCES = "'agents', 'tools', 'executions'"
ACTIONS = (
    "'pause', 'resume', 'add_tag', 'remove_tag', 'set_model', 'set_max_tokens', 'trash', "
    "'restore', 'undo'"
)
OUTCOMES = "'pending', 'changed', 'unchanged', 'refused'"


def one_of(table: str, column: str, values: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"{column} IN ({values})", name=op.f(f"ck_{table}_{column}"))


def refers(column: str, table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{CHANGES}_{column}_{table}")
    return sa.ForeignKeyConstraint([column], [f"{table}.id"], name=name, ondelete="SET NULL")


def upgrade() -> None:
    op.create_table(
        CHANGES,
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("updated_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("resource", sa.String(32), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("value", sa.String(200), nullable=True),
        sa.Column("note", sa.String(500), nullable=True),
        sa.Column("selection", postgresql.JSONB(), nullable=False),
        sa.Column("would_change", sa.BigInteger(), nullable=False),
        sa.Column("already_so", sa.BigInteger(), nullable=False),
        sa.Column("would_refuse", sa.BigInteger(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=True)
            for name in ("undo_of_id", "job_id", "user_id", "api_key_id")
        ),
        sa.Column("started_at", MOMENT, nullable=True),
        sa.Column("expires_at", MOMENT, nullable=True),
        one_of(CHANGES, "resource", RESOURCES),
        one_of(CHANGES, "action", ACTIONS),
        refers("undo_of_id", CHANGES),
        refers("job_id", "jobs"),
        refers("user_id", "users"),
        refers("api_key_id", "api_keys"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_changes")),
        sa.UniqueConstraint("job_id", name=op.f("uq_bulk_changes_job_id")),
    )
    op.create_index("ix_bulk_changes_undo_of_id", CHANGES, ["undo_of_id"])
    op.create_index("ix_bulk_changes_expires_at", CHANGES, ["expires_at"])
    op.create_index("ix_bulk_changes_user_id_id", CHANGES, ["user_id", "id"])
    create_rows()


def create_rows() -> None:
    op.create_table(
        ROWS,
        sa.Column("bulk_change_id", sa.BigInteger(), nullable=False),
        sa.Column("row_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("label", sa.String(300), nullable=False),
        sa.Column("row_version", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("changes", postgresql.JSONB(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        one_of(ROWS, "outcome", OUTCOMES),
        sa.ForeignKeyConstraint(
            ["bulk_change_id"],
            ["bulk_changes.id"],
            name=op.f("fk_bulk_change_rows_bulk_change_id_bulk_changes"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("bulk_change_id", "row_id", name=op.f("pk_bulk_change_rows")),
    )
    op.create_index("ix_bulk_change_rows_outcome", ROWS, ["bulk_change_id", "outcome", "row_id"])


def downgrade() -> None:
    op.drop_table(ROWS)
    op.drop_table(CHANGES)
