"""every process hears of changes that make what it remembers old"""

from collections.abc import Sequence

from alembic import op

revision: str = "f2c7a90b51e8"
down_revision: str | Sequence[str] | None = "d91b64e0ac57"
branch_labels = None
depends_on = None

FUNCTION = """
CREATE FUNCTION tell_to_forget() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('greenroom_forget', TG_TABLE_NAME);
    RETURN NULL;
END
$$
"""
# Only columns that answers follow from: that a key was used, or a person seen, tells nobody.
WATCHED = {
    "api_keys": "user_id, secret_sha256, scopes, agent_id, allowed_cidrs, expires_at, revoked_at",
    "users": "role, is_active, deleted_at",
    "agents": "user_id, name, live_revision_id, is_active, deleted_at",
}


def upgrade() -> None:
    op.execute(FUNCTION)
    for table, columns in WATCHED.items():
        op.execute(
            f"CREATE TRIGGER tell_to_forget AFTER INSERT OR DELETE OR UPDATE OF {columns} "
            f"ON {table} FOR EACH STATEMENT EXECUTE FUNCTION tell_to_forget()"
        )


def downgrade() -> None:
    for table in WATCHED:
        op.execute(f"DROP TRIGGER tell_to_forget ON {table}")
    op.execute("DROP FUNCTION tell_to_forget()")
