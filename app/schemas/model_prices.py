"""Prices of models, in USD per million tokens: entered here, they go before the price lists."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from app.core.texts import _
from app.schemas.base import (
    MAX_BIGINT,
    Flag,
    Input,
    Moment,
    OptionalText,
    Output,
    PageQuery,
    Patch,
    blank_to_none,
    storable_text,
)

MAX_STARS, MAX_TIERS = 5, 10


def usable_pattern(pattern: str) -> str:
    if pattern.count("*") > MAX_STARS:
        raise ValueError(_("may have %(count)s * at most", count=MAX_STARS))
    return pattern


def plain(value: Decimal) -> str:
    """Digits without an exponent and without the zeros that the column adds."""
    return f"{value.normalize():f}"


def ascending(tiers: "list[PriceTier]") -> "list[PriceTier]":
    starts = [tier.above_input_tokens for tier in tiers]
    if len(set(starts)) < len(starts):
        raise ValueError(_("must each begin at another number of input tokens"))
    return sorted(tiers, key=lambda tier: tier.above_input_tokens)


ModelPattern = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_lower=True, min_length=1, max_length=200),
    AfterValidator(storable_text),
    AfterValidator(usable_pattern),
    Field(description="A model's name; `*` stands for any characters.", examples=["gpt-4o*"]),
]
Provider = Annotated[
    Annotated[
        str,
        StringConstraints(strip_whitespace=True, to_lower=True, min_length=1, max_length=100),
        AfterValidator(storable_text),
    ]
    | None,
    BeforeValidator(blank_to_none),
]
Price = Annotated[Decimal, Field(ge=0, lt=Decimal("1e6"), max_digits=15, decimal_places=9)]
OptionalPrice = Annotated[Price | None, BeforeValidator(blank_to_none)]
Day = Annotated[
    Annotated[date, Field(ge=date(1970, 1, 1), le=date(9999, 12, 30))] | None,
    BeforeValidator(blank_to_none),
    # As forms send it: what is empty says the same as null.
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date"},
                {"type": "string", "pattern": r"^\s*$"},
                {"type": "null"},
            ]
        },
        mode="validation",
    ),
]
PriceRead = Annotated[Decimal, PlainSerializer(plain, return_type=str, when_used="json")]


class PriceTier(Input):
    """Prices of all tokens of a call with more than so many input tokens."""

    above_input_tokens: Annotated[int, Field(ge=1, le=MAX_BIGINT)]
    input_price: Price
    output_price: Price
    cache_read_price: OptionalPrice = None
    cache_write_price: OptionalPrice = None


Tiers = Annotated[
    list[PriceTier],
    Field(max_length=MAX_TIERS, description="Other prices for long inputs."),
    AfterValidator(ascending),
]


class ModelPriceCreate(Input):
    model_pattern: ModelPattern = Field(alias="model")
    provider_name: Provider = Field(
        None, alias="provider", description="As senders name it; null is any."
    )
    description: OptionalText = None
    valid_from: Day = Field(None, description="The first day, UTC; null is always.")
    valid_to: Day = Field(None, description="The last day, UTC; null is open.")
    input_price: Price
    output_price: Price
    cache_read_price: OptionalPrice = Field(None, description="Null: as other input.")
    cache_write_price: OptionalPrice = Field(None, description="Null: as other input.")
    tiers: Tiers = Field(default_factory=list)
    is_free: Flag = Field(False, description="Confirms that prices of 0 are meant.")


class ModelPriceUpdate(Patch):
    model_pattern: ModelPattern = Field("", alias="model")
    provider_name: Provider = Field(None, alias="provider")
    description: OptionalText = None
    valid_from: Day = None
    valid_to: Day = None
    input_price: Price = Decimal(0)
    output_price: Price = Decimal(0)
    cache_read_price: OptionalPrice = None
    cache_write_price: OptionalPrice = None
    tiers: Tiers = Field(default_factory=list)
    is_free: Flag = False


class ModelPriceQuery(PageQuery):
    model_pattern: Annotated[
        ModelPattern | None, BeforeValidator(blank_to_none), Field(alias="model")
    ] = None
    """The prices of this pattern."""
    provider_name: Annotated[Provider, Field(alias="provider")] = None
    """Prices of this provider."""
    is_free: bool | None = None
    """Those of models that cost nothing, or the others."""


class PriceTierRead(Output):
    above_input_tokens: int
    input_price: PriceRead
    output_price: PriceRead
    cache_read_price: PriceRead | None
    cache_write_price: PriceRead | None


class ModelPriceRead(Output):
    """Prices are USD per million tokens."""

    id: int
    model_pattern: str = Field(alias="model")
    provider_name: str | None = Field(alias="provider")
    description: str | None
    valid_from: date | None
    valid_to: date | None
    input_price: PriceRead
    output_price: PriceRead
    cache_read_price: PriceRead | None
    cache_write_price: PriceRead | None
    tiers: list[PriceTierRead]
    is_free: bool
    row_version: int
    created_at: datetime
    updated_at: datetime


class RecomputeRequest(Input):
    """Which runs are priced anew: those that started in this time. Reported costs stay."""

    since: Moment
    until: Moment | None = Field(None, description="Before this moment; null: up to now.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.until is not None and self.until <= self.since:
            raise ValueError(_("until must be after since"))
        return self
