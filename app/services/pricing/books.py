"""The book that prices are looked up in, and the one that holds now."""

from collections.abc import Collection, Iterable
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import memories_of
from app.core.remembered import PRICE_TABLES, always
from app.models import ModelPrice
from app.models.base import JsonObject
from app.services.pricing.lists import MAX_REMEMBERED, listed_rules, names_of
from app.services.pricing.overrides import Override
from app.services.pricing.rules import PriceRule, Quote, Rates, Tier, Tokens, quote_by

SOURCE = "a price entered here"


class PriceBook:
    """The prices entered here, and the lists behind them. No I/O; a lookup is remembered."""

    def __init__(self, overrides: Iterable[Override] = ()) -> None:
        self._overrides = sorted(overrides, key=lambda one: one.precedence, reverse=True)
        self._rules: dict[tuple[str, str | None], tuple[PriceRule, ...]] = {}

    def quote(self, model: str, provider: str | None, tokens: Tokens, at: datetime) -> Quote | None:
        """What a call at ``at`` (aware) costs; ``None`` when no price, or not enough, is known.

        ``provider`` is who was asked, as the sender names it, or the host that was; without one,
        prices are those of whoever makes models of that name.
        """
        for rule in self.rules(model, provider):
            if rule.holds(at):
                return quote_by(rule, tokens)
        return None

    def quote_first(
        self, models: Collection[str], provider: str | None, tokens: Tokens, at: datetime
    ) -> Quote | None:
        """By the first of several names of the model that has a price; entered ones come first."""
        first: Quote | None = None
        for model in models:
            quote = self.quote(model, provider, tokens, at)
            if quote is not None and (not self._overrides or quote.rule.override_id is not None):
                return quote
            first = first or quote
        return first

    def rules(self, model: str, provider: str | None) -> tuple[PriceRule, ...]:
        """All rules of the model, the first that holds counts."""
        key = (model, provider)
        found = self._rules.get(key)
        if found is None:
            if len(self._rules) >= MAX_REMEMBERED:
                self._rules.clear()
            found = self._rules[key] = self._find(model, provider)
        return found

    def _find(self, model: str, provider: str | None) -> tuple[PriceRule, ...]:
        if not self._overrides:
            return listed_rules(model, provider)
        providers = names_of(model, provider)
        entered = [one.rule for one in self._overrides if one.means(model, providers)]
        return (*entered, *listed_rules(model, provider))


async def current_book(session: AsyncSession) -> PriceBook:
    """The book that holds now; remembered by the process, forgotten when a price changes."""
    memory = memories_of(session).of("prices", PRICE_TABLES, 1)
    book: PriceBook | None = memory.get(None)
    if book is None:
        book = await memory.read(None, lambda: read_book(session), always)
    return book or PriceBook()


async def read_book(session: AsyncSession) -> PriceBook:
    rows = await session.scalars(select(ModelPrice).where(ModelPrice.deleted_at.is_(None)))
    return PriceBook([override_of(row) for row in rows])


def override_of(row: ModelPrice) -> Override:
    base = Rates(row.input_price, row.output_price, row.cache_read_price, row.cache_write_price)
    rule = PriceRule(
        source=SOURCE,
        model=row.model_pattern,
        provider=row.provider_name,
        override_id=row.id,
        since=row.valid_from,
        until=row.valid_to,
        tiers=(Tier(0, base), *map(tier_of, row.tiers)),
    )
    return Override(row.model_pattern, row.provider_name, rule)


def tier_of(stored: JsonObject) -> Tier:
    prices = ("input_price", "output_price", "cache_read_price", "cache_write_price")
    rates = [None if stored[name] is None else Decimal(stored[name]) for name in prices]
    return Tier(stored["above_input_tokens"], Rates(*rates))
