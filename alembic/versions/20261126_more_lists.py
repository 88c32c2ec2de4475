"""more lists are narrowed, sorted and kept as views"""

from collections.abc import Sequence

from alembic import op

revision: str = "c4a7d21e90b8"
down_revision: str | Sequence[str] | None = "a90d3c71e6b4"
branch_labels = None
depends_on = None

BEFORE = ("executions", "agents", "tools")
SINCE = (
    "users",
    "api_keys",
    "jobs",
    "audit_events",
    "webhook_endpoints",
    "model_prices",
    "bulk_changes",
)
TABLES = ("saved_views", "list_preferences")


def allow(table: str, lists: Sequence[str]) -> None:
    name = op.f(f"ck_{table}_resource")
    op.drop_constraint(name, table, type_="check")
    values = ", ".join(f"'{each}'" for each in lists)
    op.create_check_constraint(name, table, f"resource IN ({values})")


def upgrade() -> None:
    for table in TABLES:
        allow(table, (*BEFORE, *SINCE))
    op.create_index("ix_api_keys_name_id", "api_keys", ["name", "id"])
    op.create_index("ix_api_keys_agent_id", "api_keys", ["agent_id"])


def downgrade() -> None:
    op.drop_index("ix_api_keys_agent_id", "api_keys")
    op.drop_index("ix_api_keys_name_id", "api_keys")
    known = ", ".join(f"'{each}'" for each in BEFORE)
    for table in reversed(TABLES):
        op.execute(f"DELETE FROM {table} WHERE resource NOT IN ({known})")
        allow(table, BEFORE)
