"""What model calls cost, by the price lists of genai-prices: with their history and tiers.

Pure functions. A price that is not known is ``None``, never 0.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from genai_prices import Usage, calc_price

NINE_PLACES = Decimal("1e-9")
MOST = Decimal("1e9")


@dataclass(frozen=True, slots=True)
class Tokens:
    """Of one call. ``input`` is the total, those read from and written to a cache included."""

    input: int | None
    output: int | None
    cached: int | None = None
    cache_write: int | None = None


def usage_of(tokens: Tokens) -> Usage | None:
    """``None`` where not both ends are known.

    Senders that count cached tokens apart report fewer input tokens than cached ones.
    """
    if tokens.input is None or tokens.output is None:
        return None
    cached, written = tokens.cached or 0, tokens.cache_write or 0
    apart = cached + written > tokens.input
    return Usage(
        input_tokens=tokens.input + (cached + written if apart else 0),
        cache_read_tokens=cached,
        cache_write_tokens=written,
        output_tokens=tokens.output,
    )


def price_of(
    model: str,
    tokens: Tokens,
    at: datetime,
    *,
    provider: str | None = None,
    base_url: str | None = None,
) -> Decimal | None:
    """USD to nine places, by the prices of that moment.

    Of the ``provider`` where one is named, else of who is at ``base_url``, else of whoever makes
    models of that name. ``None`` when no price is known.
    """
    usage = usage_of(tokens)
    if usage is None:
        return None
    try:
        if provider is not None or base_url is None:
            found = calc_price(usage, model, provider_id=provider, genai_request_timestamp=at)
        else:
            found = calc_price(usage, model, provider_api_url=base_url, genai_request_timestamp=at)
    except (LookupError, ValueError):
        return None
    return found.total_price.quantize(NINE_PLACES) if found.total_price < MOST else None
