"""The price lists of genai-prices, with their history, hours and tiers, as our rules.

Its own lookups remember every name that they were ever asked for; names come from senders, so
what is remembered here is bounded.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from importlib.metadata import version

from genai_prices.data_snapshot import find_provider_by_id, get_snapshot
from genai_prices.types import (
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from app.services.pricing.rules import PriceRule, Rates, Tier

SOURCE = f"genai-prices {version('genai-prices')}"
MAX_REMEMBERED = 10_000
PER_THOUSAND = -3
GATEWAY = "litellm"
# Names of OpenTelemetry and of common instrumentation that the package does not know.
ALIASES = {
    "az.ai.inference": "azure",
    "az.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "fireworks_ai": "fireworks",
    "gcp.gen_ai": "google",
    "x_ai": "x-ai",
}
CLOUDS = ("aws.", "gcp.")  # of OpenTelemetry; other names with a dot are hosts
# A model without any price is free only where its name says so; of others none is known.
FREE_NAME = ":free"
FREE = Tier(0, Rates(Decimal(0), Decimal(0)))
PRICED = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "request": "requests_kcount",
}


def provider_at(url: str) -> str | None:
    """The id of the provider whose API is at this address."""
    for provider in get_snapshot().providers:
        if re.match(provider.api_pattern, url):
            return provider.id
    return None


def find_provider(name: str) -> Provider | None:
    """The provider that a sender means by ``name``; a host is one only where its API is."""
    wanted = name.strip().lower()
    wanted = ALIASES.get(wanted, wanted)
    if "." in wanted and not wanted.startswith(CLOUDS):
        wanted = provider_at(f"https://{wanted}") or wanted
        return next((p for p in get_snapshot().providers if p.id == wanted), None)
    return find_provider_by_id(get_snapshot().providers, wanted)


def resolve(model: str, provider: str | None) -> tuple[Provider, str] | None:
    """Whose model it is, and its name there. Gateways put the provider before the name."""
    head, slash, tail = model.partition("/")
    if slash and (provider is None or provider.lower() == GATEWAY):
        named = next((p for p in get_snapshot().providers if p.id == head), None)
        if named is not None:
            return named, tail
    if provider is not None and provider.lower() != GATEWAY:
        found = find_provider(provider)
        return None if found is None else (found, model)
    makers = (
        p for p in get_snapshot().providers if p.model_match and p.model_match.is_match(model)
    )
    maker = next(makers, None)
    return None if maker is None else (maker, model)


@lru_cache(maxsize=MAX_REMEMBERED)
def names_of(model: str, provider: str | None) -> frozenset[str]:
    """By which names of providers a price entered here may mean this call."""
    said = set() if provider is None else {provider.strip().lower()}
    found = resolve(model.lower(), provider)
    return frozenset(said | ({found[0].id} if found else set()))


@lru_cache(maxsize=MAX_REMEMBERED)
def listed_rules(model: str, provider: str | None) -> tuple[PriceRule, ...]:
    """The rules of a model, first come first served; none where the lists do not know it."""
    found = resolve(model.lower(), provider)
    if found is None or not model:
        return ()
    maker, name = found
    info = maker.find_model(name, all_providers=get_snapshot().providers)
    return () if info is None else tuple(rules_of(maker, info))


def rules_of(maker: Provider, info: ModelInfo) -> Iterator[PriceRule]:
    """The last price that holds counts; where none does, the first one, whatever its condition."""
    if isinstance(info.prices, ModelPrice):
        yield rule_of(maker, info, ConditionalPrice(prices=info.prices))
        return
    for conditional in reversed(info.prices):
        yield rule_of(maker, info, conditional)
    if info.prices[0].constraint is not None:
        yield rule_of(maker, info, ConditionalPrice(prices=info.prices[0].prices))


def rule_of(maker: Provider, info: ModelInfo, conditional: ConditionalPrice) -> PriceRule:
    when = conditional.constraint
    return PriceRule(
        source=SOURCE,
        model=info.id,
        provider=maker.id,
        tiers=(FREE,) if info.id.endswith(FREE_NAME) else tiers_of(conditional.prices),
        since=when.start_date if isinstance(when, StartDateConstraint) else None,
        hours=when if isinstance(when, TimeOfDateConstraint) else None,
    )


def tiers_of(prices: ModelPrice) -> tuple[Tier, ...]:
    """Each price has tiers of its own in the package; here each tier has all prices."""
    found = {name: getattr(prices, key) for name, key in PRICED.items()}
    tiered = [price for price in found.values() if isinstance(price, TieredPrices)]
    starts = sorted({tier.start for price in tiered for tier in price.tiers} | {0})
    return tuple(Tier(start, rates_above(found, start)) for start in starts)


def rates_above(found: dict[str, Decimal | TieredPrices | None], start: int) -> Rates:
    rates = {name: price_above(price, start) for name, price in found.items()}
    if rates["request"] is not None:
        rates["request"] = rates["request"].scaleb(PER_THOUSAND)
    return Rates(**rates)


def price_above(price: Decimal | TieredPrices | None, start: int) -> Decimal | None:
    if not isinstance(price, TieredPrices):
        return price
    reached = [tier.price for tier in price.tiers if tier.start <= start]
    return reached[-1] if start and reached else price.base
