"""people, keys and jobs are changed many at once"""

from collections.abc import Sequence

from alembic import op

revision: str = "d90b36f5a1c2"
down_revision: str | Sequence[str] | None = "c4a7d21e90b8"
branch_labels = None
depends_on = None

TABLE = "bulk_changes"
RESOURCES = ("agents", "tools", "executions")
ACTIONS = (
    "pause",
    "resume",
    "add_tag",
    "remove_tag",
    "set_model",
    "set_max_tokens",
    "trash",
    "restore",
)
MORE_RESOURCES = ("users", "api_keys", "jobs")
MORE_ACTIONS = (
    "disable",
    "enable",
    "set_role",
    "end_sessions",
    "set_expiry",
    "revoke",
    "cancel",
    "retry",
)


def allow(column: str, values: Sequence[str]) -> None:
    name = op.f(f"ck_{TABLE}_{column}")
    op.drop_constraint(name, TABLE, type_="check")
    listed = ", ".join(f"'{each}'" for each in values)
    op.create_check_constraint(name, TABLE, f"{column} IN ({listed})")


def upgrade() -> None:
    allow("resource", (*RESOURCES, *MORE_RESOURCES))
    allow("action", (*ACTIONS, *MORE_ACTIONS, "undo"))
    op.create_index("ix_bulk_changes_created_at_id", TABLE, ["created_at", "id"])
    op.create_index("ix_bulk_changes_user_id_created_at_id", TABLE, ["user_id", "created_at", "id"])
    op.drop_index("ix_bulk_changes_user_id_id", TABLE)


def downgrade() -> None:
    op.create_index("ix_bulk_changes_user_id_id", TABLE, ["user_id", "id"])
    op.drop_index("ix_bulk_changes_user_id_created_at_id", TABLE)
    op.drop_index("ix_bulk_changes_created_at_id", TABLE)
    known = ", ".join(f"'{each}'" for each in RESOURCES)
    op.execute(f"DELETE FROM {TABLE} WHERE resource NOT IN ({known})")
    allow("resource", RESOURCES)
    allow("action", (*ACTIONS, "undo"))
