"""Prices that were entered here; they go before the lists of genai-prices."""

from typing import Any, ClassVar

from sqlalchemy import ColumnElement
from wtforms import BooleanField, StringField, TextAreaField

from app.admin.actions import TrashView
from app.admin.fields import JsonField
from app.admin.filters import Filter
from app.admin.forms import RowForm
from app.core.permissions import Permission
from app.core.texts import lazy
from app.models import ModelPrice
from app.schemas.model_prices import ModelPriceCreate, ModelPriceUpdate, plain
from app.services.model_prices import PRICES, ModelPriceService
from app.services.search import matches

AS_INPUT = lazy("USD per million tokens; empty: as other input.")


class ModelPriceForm(RowForm):
    model_pattern = StringField(
        lazy("Model"), description=lazy("Its name; * stands for any characters.")
    )
    provider_name = StringField(
        lazy("Provider"), description=lazy("As senders name it; empty is any.")
    )
    description = TextAreaField(lazy("Note"))
    valid_from = StringField(
        lazy("First day"), description=lazy("YYYY-MM-DD, UTC; empty is always.")
    )
    valid_to = StringField(lazy("Last day"), description=lazy("YYYY-MM-DD, UTC; empty is open."))
    input_price = StringField(lazy("Input"), description=lazy("USD per million tokens."))
    output_price = StringField(lazy("Output"), description=lazy("USD per million tokens."))
    cache_read_price = StringField(lazy("Read from cache"), description=AS_INPUT)
    cache_write_price = StringField(lazy("Written to cache"), description=AS_INPUT)
    tiers = JsonField(
        lazy("Tiers"), default=[], description=lazy("Other prices above so many input tokens.")
    )
    is_free = BooleanField(lazy("Free"), description=lazy("Confirms that prices of 0 are meant."))


class ModelPriceView(TrashView, model=ModelPrice):
    name, name_plural, icon = lazy("Model price"), lazy("Model prices"), "coin"
    about = lazy("What models cost, in USD per million tokens; before the price lists.")
    service = ModelPriceService
    permissions: ClassVar[dict[str, Permission]] = {
        "list": Permission.PRICES_READ,
        "details": Permission.PRICES_READ,
        "export": Permission.PRICES_READ,
        "create": Permission.PRICES_MANAGE,
        "edit": Permission.PRICES_MANAGE,
        "delete": Permission.PRICES_MANAGE,
        "action:trash": Permission.PRICES_MANAGE,
        "action:restore": Permission.PRICES_MANAGE,
    }
    columns = (
        "id",
        "model_pattern",
        "provider_name",
        "input_price",
        "output_price",
        "valid_from",
        "valid_to",
        "updated_at",
    )
    more_columns = (
        "description",
        "cache_read_price",
        "cache_write_price",
        "tiers",
        "is_free",
        "created_at",
        "row_version",
    )
    labels: ClassVar[dict[str, str]] = {
        "model_pattern": lazy("Model"),
        "provider_name": lazy("Provider"),
        "description": lazy("Note"),
    }
    list_filters = (Filter("provider_name", lazy("Provider")),)
    search_hint = lazy("Words in the model, provider or note")
    sorts = ("model_pattern", "created_at", "updated_at")
    default_sort = "model_pattern"
    page_path = "/model-prices"
    create_form = edit_form = ModelPriceForm
    create_schema, update_schema = ModelPriceCreate, ModelPriceUpdate

    def search_rule(self, term: str) -> ColumnElement[bool]:
        return matches(ModelPrice.search, term)

    def form_values(self, row: Any, kind: type[RowForm]) -> dict[str, Any]:  # a price
        """Numbers and days as they are typed, so that a save changes nothing by itself."""
        values = super().form_values(row, kind)
        texts = {name: plain(values[name]) for name in PRICES if values[name] is not None}
        days = {
            name: values[name].isoformat()
            for name in ("valid_from", "valid_to")
            if values[name] is not None
        }
        return values | texts | days
