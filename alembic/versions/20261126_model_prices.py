"""prices of models that are entered here"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "91b3e6f0d7c4"
down_revision: str | Sequence[str] | None = "f52b7e0d9c18"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)
SEARCH = (
    "to_tsvector('simple'::regconfig, translate(model_pattern, '-_*./:', '      ') || ' ' || "
    "model_pattern || ' ' || coalesce(provider_name, '') || ' ' || coalesce(description, ''))"
)


def price(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Numeric(precision=18, scale=9), nullable=nullable)


def make_table() -> None:
    now = sa.text("clock_timestamp()")
    op.create_table(
        "model_prices",
        sa.Column("model_pattern", sa.String(length=200), nullable=False),
        sa.Column("provider_name", sa.String(length=100), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        price("input_price"),
        price("output_price"),
        price("cache_read_price", nullable=True),
        price("cache_write_price", nullable=True),
        sa.Column("tiers", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("is_free", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "search", postgresql.TSVECTOR(), sa.Computed(SEARCH, persisted=True), nullable=False
        ),
        sa.Column("deleted_at", MOMENT, nullable=True),
        sa.Column("row_version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", MOMENT, server_default=now, nullable=False),
        sa.Column("updated_at", MOMENT, server_default=now, nullable=False),
        sa.CheckConstraint("valid_to >= valid_from", name=op.f("ck_model_prices_days")),
        sa.CheckConstraint(
            "least(input_price, output_price) >= 0", name=op.f("ck_model_prices_not_negative")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_prices")),
    )


def upgrade() -> None:
    make_table()
    table = "model_prices"
    op.create_index(
        "uq_model_prices_live",
        table,
        ["model_pattern", "provider_name", "valid_from"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index("ix_model_prices_search", table, ["search"], postgresql_using="gin")
    op.create_index("ix_model_prices_provider_name", table, ["provider_name"])
    op.create_index("ix_model_prices_created_at_id", table, ["created_at", "id"])
    op.create_index("ix_model_prices_updated_at_id", table, ["updated_at", "id"])
    # Every process knows the prices, and reads them again when one may have changed.
    op.execute(
        "CREATE TRIGGER tell_to_forget AFTER INSERT OR DELETE OR UPDATE ON model_prices "
        "FOR EACH STATEMENT EXECUTE FUNCTION tell_to_forget()"
    )


def downgrade() -> None:
    op.drop_table("model_prices")
