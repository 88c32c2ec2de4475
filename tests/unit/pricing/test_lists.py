"""Our arithmetic is that of genai-prices, for every model that it lists."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from genai_prices import Usage
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, Provider
from hypothesis import given, settings
from hypothesis import strategies as st

from app.services.pricing.lists import names_of, rules_of
from app.services.pricing.rules import NINE_PLACES, PriceRule, Quote, Tokens, quote_by

MODELS = [(maker, info) for maker in get_snapshot().providers for info in maker.models]
DAY_0 = datetime(2023, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 4 * 365 * 24 * 60).map(lambda minutes: DAY_0 + timedelta(minutes=minutes))
FEW = st.integers(0, 1_000_000)


def ours(maker: Provider, info: ModelInfo, tokens: Tokens, at: datetime) -> Quote | None:
    rule: PriceRule = next(rule for rule in rules_of(maker, info) if rule.holds(at))
    return quote_by(rule, tokens)


def theirs(maker: Provider, info: ModelInfo, usage: Usage, at: datetime) -> Decimal:
    found = info.calc_price(usage, maker, genai_request_timestamp=at)
    return found.total_price.quantize(NINE_PLACES)


@settings(max_examples=300)
@given(st.integers(0, len(MODELS) - 1), MOMENTS, st.tuples(FEW, FEW, FEW, FEW))
def test_every_listed_model_costs_what_the_package_says(
    place: int, at: datetime, counts: tuple[int, int, int, int]
) -> None:
    model = MODELS[place]
    uncached, cached, written, output = counts
    tokens = Tokens(uncached + cached + written, output, cached, written)
    usage = Usage(
        input_tokens=tokens.input,
        cache_read_tokens=cached,
        cache_write_tokens=written,
        output_tokens=output,
    )
    quote = ours(*model, tokens, at)
    if quote is not None:
        assert quote.total == theirs(*model, usage, at)
        shown = sum((line.amount for line in quote.lines), Decimal(0))
        assert quote.total == shown.quantize(NINE_PLACES)


def test_nearly_every_model_that_is_charged_by_tokens_has_a_quote() -> None:
    at, tokens = datetime(2026, 6, 1, tzinfo=UTC), Tokens(1000, 0)
    # Sound, characters and pages are no tokens; nothing is known of a few more.
    silent = [(m.id, i.id) for m, i in MODELS if ours(m, i, tokens, at) is None]
    assert len(silent) < len(MODELS) / 40
    assert not [name for _, name in silent if name.endswith(":free")]


def test_what_is_remembered_of_names_is_bounded() -> None:
    for number in range(10_050):
        names_of(f"model-{number}", "nobody")
    assert names_of.cache_info().currsize == 10_000
