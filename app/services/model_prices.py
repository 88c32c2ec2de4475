"""Prices that were entered here: their rules."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from app.core.permissions import Permission
from app.core.texts import lazy, mark
from app.exceptions import Invalid
from app.models import ModelPrice
from app.schemas.model_prices import ModelPriceCreate, ModelPriceUpdate, plain
from app.services.base import BaseService

PRICES = ("input_price", "output_price", "cache_read_price", "cache_write_price")
NOT_CONFIRMED = "All prices are 0. If calls of this model really cost nothing, confirm that."
NOT_FREE = "Calls that cost nothing have no price above 0."
EVERY_MODEL = "For every model, name the provider whose models you mean."


def prices_in(row: ModelPrice) -> Iterable[Decimal]:
    """All that are said, those of tiers too."""
    of_tiers = (tier[name] for tier in row.tiers for name in PRICES)
    own = (getattr(row, name) for name in PRICES)
    return [Decimal(value) for value in (*own, *of_tiers) if value is not None]


class ModelPriceService(BaseService[ModelPrice, ModelPriceCreate, ModelPriceUpdate]):
    model = ModelPrice
    resource = "model_prices"
    noun = mark("price")
    readable = Permission.PRICES_READ
    writable = Permission.PRICES_MANAGE
    deletable = Permission.PRICES_MANAGE
    sorts = ("model_pattern", "created_at", "updated_at")
    default_sort = "model_pattern"
    filters = ("model_pattern", "provider_name", "is_free")
    conflicts = {  # noqa: RUF012  (declared as a class variable in the base)
        "uq_model_prices_live": (
            "valid_from",
            "There is a price of {row} from that day already. Change that one instead.",
        )
    }

    def owned(self) -> None:
        """Costs are computed with them for everyone."""

    async def values_for(self, data: ModelPriceCreate | ModelPriceUpdate) -> dict[str, Any]:
        values = await super().values_for(data)
        if "tiers" in values:
            values["tiers"] = [
                {
                    name: plain(value) if isinstance(value, Decimal) else value
                    for name, value in tier.model_dump().items()
                }
                for tier in values["tiers"]
            ]
        return values

    async def check(self, row: ModelPrice) -> None:
        """Raise ``Invalid`` for what can hardly be meant."""
        if row.valid_from and row.valid_to and row.valid_to < row.valid_from:
            raise Invalid(lazy("The last day must not be before the first."), field="valid_to")
        if not row.model_pattern.strip("*") and row.provider_name is None:
            raise Invalid(EVERY_MODEL, field="provider_name")
        is_priced = any(prices_in(row))
        if not is_priced and not row.is_free:
            raise Invalid(NOT_CONFIRMED, field="is_free")
        if is_priced and row.is_free:
            raise Invalid(NOT_FREE, field="is_free")
