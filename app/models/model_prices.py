"""Prices of models that were entered here; they go before the lists of genai-prices."""

from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, Computed, Date, Index, Numeric, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Editable

PerMillion = Numeric(18, 9)  # USD per million tokens
SEARCH = (
    "to_tsvector('simple'::regconfig, translate(model_pattern, '-_*./:', '      ') || ' ' || "
    "model_pattern || ' ' || coalesce(provider_name, '') || ' ' || coalesce(description, ''))"
)


class ModelPrice(Editable, Base):
    """Everybody's, so it has no owner. Days are UTC and both included."""

    __tablename__ = "model_prices"
    __table_args__ = (
        CheckConstraint("valid_to >= valid_from", name="days"),
        CheckConstraint("least(input_price, output_price) >= 0", name="not_negative"),
        Index(
            "uq_model_prices_live",
            "model_pattern",
            "provider_name",
            "valid_from",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("ix_model_prices_search", "search", postgresql_using="gin"),
        Index("ix_model_prices_provider_name", "provider_name"),
        Index("ix_model_prices_created_at_id", "created_at", "id"),
        Index("ix_model_prices_updated_at_id", "updated_at", "id"),
    )

    # Lower case; * stands for any characters. NULL as provider is any.
    model_pattern: Mapped[str] = mapped_column(String(200))
    provider_name: Mapped[str | None] = mapped_column(String(100))
    description: Mapped[str | None] = mapped_column(Text)
    valid_from: Mapped[date | None] = mapped_column(Date)
    valid_to: Mapped[date | None] = mapped_column(Date)
    input_price: Mapped[Decimal] = mapped_column(PerMillion)
    output_price: Mapped[Decimal] = mapped_column(PerMillion)
    # NULL: tokens read from or written to a cache cost what other input costs.
    cache_read_price: Mapped[Decimal | None] = mapped_column(PerMillion)
    cache_write_price: Mapped[Decimal | None] = mapped_column(PerMillion)
    # A list of {"above_input_tokens", the four prices as text}, ascending.
    tiers: Mapped[list[Any]] = mapped_column(JSONB, default=list, server_default=text("'[]'"))
    # Somebody said so: only then may all prices be 0.
    is_free: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    search: Mapped[str] = mapped_column(TSVECTOR, Computed(SEARCH, persisted=True), deferred=True)

    def __str__(self) -> str:
        return f"{self.model_pattern} of {self.provider_name or 'any provider'}"
