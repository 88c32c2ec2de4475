"""a person's data in the audit log can be erased, and the chain over it stays verifiable"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "a4f7219c3e60"
down_revision: str | Sequence[str] | None = "5d0c83f7e1b4"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)
APPEND_ONLY = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_erasures
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""
REFUSE = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$
"""
# Only the function below says so, for its own transaction.
REFUSE_UNLESS_ERASING = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'audit_events'
        AND current_setting('greenroom.erasing', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$
"""
# Runs as the owner of the tables. It leaves a row behind for each event that it changes: what the
# event's digest was, what it is now, and a signature that only the product can make.
ERASE = """
CREATE FUNCTION erase_in_audit(events jsonb) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.audit_erasures (event_id, digest, erased_digest, signature, key_id)
    SELECT e.id, decode(e.digest, 'hex'), decode(e.erased_digest, 'hex'),
        decode(e.signature, 'hex'), e.key_id
    FROM jsonb_to_recordset(events) AS e (id bigint, digest text, erased_digest text,
        signature text, key_id text);
    PERFORM set_config('greenroom.erasing', 'on', true);
    UPDATE public.audit_events a
    SET label = e.label, changes = e.changes, reason = e.reason, ip = e.ip
    FROM jsonb_to_recordset(events) AS e (id bigint, label text, changes jsonb, reason text,
        ip text)
    WHERE a.id = e.id;
    PERFORM set_config('greenroom.erasing', 'off', true);
END
$$
"""


def upgrade() -> None:
    op.create_table(
        "audit_erasures",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("erased_at", MOMENT, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("erased_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("signature", sa.LargeBinary(length=32), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_erasures")),
    )
    op.create_index("ix_audit_erasures_event_id", "audit_erasures", ["event_id"])
    op.execute(APPEND_ONLY)
    op.execute(REFUSE_UNLESS_ERASING)
    op.execute(ERASE)
    op.execute("REVOKE EXECUTE ON FUNCTION erase_in_audit(jsonb) FROM PUBLIC")


def downgrade() -> None:
    op.execute("DROP FUNCTION erase_in_audit(jsonb)")
    op.execute(REFUSE)
    op.drop_table("audit_erasures")
