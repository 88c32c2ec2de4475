"""the audit log is filtered by key, request and address too"""

from collections.abc import Sequence

from alembic import op

revision: str = "c93a6d11f5e0"
down_revision: str | Sequence[str] | None = "a41f0c8be3d7"
branch_labels = None
depends_on = None

COLUMNS = ("actor_api_key_id", "request_id", "ip")


def upgrade() -> None:
    for column in COLUMNS:
        op.create_index(f"ix_audit_events_{column}_id", "audit_events", [column, "id"])


def downgrade() -> None:
    for column in COLUMNS:
        op.drop_index(f"ix_audit_events_{column}_id", table_name="audit_events")
