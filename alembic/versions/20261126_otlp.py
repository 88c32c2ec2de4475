"""what arrives by OpenTelemetry: origins of spans, claims of traces, receipts, drafts of agents"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "f52b7e0d9c18"
down_revision: str | Sequence[str] | None = "4c9e17d6a802"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)
JSON = postgresql.JSONB(none_as_null=True, astext_type=sa.Text())


def identified() -> list[sa.Column[object]]:
    now = sa.text("clock_timestamp()")
    return [
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", MOMENT, server_default=now, nullable=False),
        sa.Column("updated_at", MOMENT, server_default=now, nullable=False),
    ]


def make_origins_and_claims() -> None:
    op.create_table(
        "span_origins",
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("resource", JSON, nullable=False),
        sa.Column("scope_name", sa.String(length=300), nullable=False),
        sa.Column("scope_version", sa.String(length=100), nullable=False),
        sa.Column("schema_url", sa.String(length=300), nullable=False),
        *identified(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_span_origins")),
        sa.UniqueConstraint("sha256", name=op.f("uq_span_origins_sha256")),
    )
    op.create_table(
        "trace_claims",
        sa.Column("execution_id", sa.BigInteger(), nullable=False),
        sa.Column("claims", JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["execution_id"],
            ["executions.id"],
            name=op.f("fk_trace_claims_execution_id_executions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("execution_id", name=op.f("pk_trace_claims")),
    )


def make_receipts() -> None:
    op.create_table(
        "ingest_batches",
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("api_key_id", sa.BigInteger(), nullable=True),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("size_bytes", "span_count", "rejected_count", "execution_count")
        ),
        *identified(),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("fk_ingest_batches_user_id_users"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["api_key_id"],
            ["api_keys.id"],
            name=op.f("fk_ingest_batches_api_key_id_api_keys"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ingest_batches")),
    )
    op.create_index("ix_ingest_batches_created_at_id", "ingest_batches", ["created_at", "id"])
    op.create_index("ix_ingest_batches_user_id_id", "ingest_batches", ["user_id", "id"])
    op.create_table(
        "rejected_spans",
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("request", JSON, nullable=False),
        *identified(),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["ingest_batches.id"],
            name=op.f("fk_rejected_spans_batch_id_ingest_batches"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rejected_spans")),
    )
    op.create_index("ix_rejected_spans_batch_id_id", "rejected_spans", ["batch_id", "id"])


# Bodies compress several times faster with lz4, where the server was built with it.
COMPRESS = """
DO $$
DECLARE
    body record;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_settings
                   WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)) THEN
        RETURN;
    END IF;
    FOR body IN SELECT c.oid::regclass AS tab, a.attname
                FROM pg_partition_tree('span_bodies') t JOIN pg_class c ON c.oid = t.relid
                JOIN pg_attribute a ON a.attrelid = c.oid AND a.atttypid = 'jsonb'::regtype LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET COMPRESSION lz4', body.tab, body.attname);
    END LOOP;
END
$$
"""


def upgrade() -> None:
    make_origins_and_claims()
    make_receipts()
    op.add_column("span_bodies", sa.Column("origin_id", sa.BigInteger(), nullable=True))
    op.add_column("span_bodies", sa.Column("wire", JSON, nullable=True))
    op.execute(COMPRESS)
    op.create_index(
        "ix_execution_bodies_unsearched",
        "execution_bodies",
        ["execution_id"],
        postgresql_where=sa.text("search IS NULL"),
    )
    op.add_column(
        "agents",
        sa.Column("is_draft", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )


def downgrade() -> None:
    op.drop_index("ix_execution_bodies_unsearched", "execution_bodies")
    op.drop_column("agents", "is_draft")
    op.drop_column("span_bodies", "wire")
    op.drop_column("span_bodies", "origin_id")
    for table in ("rejected_spans", "ingest_batches", "trace_claims", "span_origins"):
        op.drop_table(table)
