"""Costs follow the published prices of their day; what has no price has no cost."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from app.services.pricing.books import PriceBook
from app.services.pricing.lists import SOURCE, provider_at
from app.services.pricing.overrides import Override, matches
from app.services.pricing.rules import LineKind, PriceRule, Rates, Tier, Tokens

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
BOOK = PriceBook()


def cost(
    model: str,
    tokens: Tokens,
    provider: str | None = None,
    at: datetime = NOW,
    book: PriceBook = BOOK,
) -> Decimal | None:
    quote = book.quote(model, provider, tokens, at)
    return None if quote is None else quote.total


@pytest.mark.parametrize(
    ("model", "tokens", "expected"),
    [
        ("gpt-4o", Tokens(1000, 100), "0.0035"),
        ("gpt-4o", Tokens(0, 0), "0"),
        # Half of the input is read from the cache, at half the price.
        ("gpt-4o", Tokens(1000, 100, cached=500), "0.002875"),
        # Counted apart: 500 that are new beside 1,000 cached ones.
        ("gpt-4o", Tokens(500, 0, cached=1000), "0.0025"),
        ("gpt-4o-2024-08-06", Tokens(1_000_000, 0), "2.5"),
        # Writing to the cache costs more than other input.
        ("claude-3-5-sonnet", Tokens(1000, 0, cached=200, cache_write=300), "0.002685"),
    ],
)
def test_cost_follows_the_price_list(model: str, tokens: Tokens, expected: str) -> None:
    assert cost(model, tokens) == Decimal(expected)


def test_embedding_costs_its_input_alone() -> None:
    assert cost("text-embedding-3-small", Tokens(1_000_000, None), "openai") == Decimal("0.02")


def test_quote_shows_its_arithmetic() -> None:
    quote = BOOK.quote("gpt-4o", "openai", Tokens(1000, 100, cached=500), NOW)
    assert quote is not None
    assert [(line.kind, line.count, line.price, line.amount) for line in quote.lines] == [
        (LineKind.INPUT, 500, Decimal("2.5"), Decimal("0.00125")),
        (LineKind.CACHE_READ, 500, Decimal("1.25"), Decimal("0.000625")),
        (LineKind.OUTPUT, 100, Decimal(10), Decimal("0.001")),
    ]
    assert sum(line.amount for line in quote.lines) == quote.total
    assert (quote.rule.source, quote.rule.model, quote.rule.provider) == (
        SOURCE,
        "gpt-4o",
        "openai",
    )
    assert not quote.counts.are_apart


def test_cached_tokens_beyond_the_input_were_counted_apart() -> None:
    quote = BOOK.quote("gpt-4o", None, Tokens(500, 0, cached=1000), NOW)
    assert quote is not None
    assert quote.counts.are_apart
    assert (quote.counts.uncached, quote.counts.input) == (500, 1500)


def test_price_is_that_of_the_day() -> None:
    tokens = Tokens(1000, 0)
    assert cost("o3", tokens, at=datetime(2025, 5, 1, tzinfo=UTC)) == Decimal("0.01")
    assert cost("o3", tokens, at=datetime(2025, 8, 1, tzinfo=UTC)) == Decimal("0.002")


def test_price_is_that_of_the_hour() -> None:
    costs = [
        cost(
            "deepseek-chat",
            Tokens(1_000_000, 0),
            "deepseek",
            datetime(2026, 6, 1, hour, tzinfo=UTC),
        )
        for hour in (12, 20)
    ]
    assert costs == [Decimal("0.27"), Decimal("0.135")]


def test_long_inputs_have_a_tier_of_their_own() -> None:
    long = BOOK.quote("gemini-2.5-pro", None, Tokens(300_000, 0), NOW)
    edge = BOOK.quote("gemini-2.5-pro", None, Tokens(200_000, 0), NOW)
    assert long is not None
    assert edge is not None
    assert (long.tier.above, edge.tier.above) == (200_000, 0)
    assert long.total / 3 == edge.total


@pytest.mark.parametrize(
    ("model", "provider", "tokens"),
    [
        ("my-own-model", None, Tokens(1000, 100)),
        ("qwen3:8b", None, Tokens(1000, 100)),
        ("gpt-4o", None, Tokens(None, None)),
        ("gpt-4o", None, Tokens(1000, None)),
        ("gpt-4o", None, Tokens(10**30, 10**30)),
        ("", None, Tokens(1, 1)),
        # A model on one's own machine costs nothing that a price list knows.
        ("gpt-4o", "127.0.0.1", Tokens(1000, 100)),
        ("gpt-4o", "openai.internal.example", Tokens(1000, 100)),
        ("gpt-4o", "ollama", Tokens(1000, 100)),
        # Charged by the hour of sound: a count of tokens says nothing of it.
        ("whisper-large-v3", "groq", Tokens(1000, 100)),
    ],
)
def test_what_has_no_known_price_is_unpriced_never_free(
    model: str, provider: str | None, tokens: Tokens
) -> None:
    assert cost(model, tokens, provider) is None


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-4o"),
        ("OpenAI", "GPT-4o"),
        ("azure.ai.openai", "gpt-4o"),
        ("api.openai.com", "gpt-4o"),
        ("litellm", "openai/gpt-4o"),
        (None, "openai/gpt-4o"),
    ],
)
def test_provider_is_known_by_the_names_that_senders_use(provider: str | None, model: str) -> None:
    assert cost(model, Tokens(1000, 100), provider) == Decimal("0.0035")


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://api.x.ai/v1", "x-ai"),
        ("http://127.0.0.1:11434/v1", None),
    ],
)
def test_provider_is_known_by_its_address(url: str, provider: str | None) -> None:
    assert provider_at(url) == provider


def entered(
    pattern: str,
    price: str,
    number: int,
    provider: str | None = None,
    days: tuple[date | None, date | None] = (None, None),
) -> Override:
    rates = Rates(Decimal(price), Decimal(price))
    rule = PriceRule("here", pattern, (Tier(0, rates),), provider, number, *days)
    return Override(pattern, provider, rule)


def test_entered_price_goes_before_the_list_for_whom_it_is_meant() -> None:
    book = PriceBook([entered("gpt-4o", "1", 1, "openai")])
    tokens = Tokens(1_000_000, 0)
    assert cost("GPT-4o", tokens, "openai", book=book) == 1
    assert cost("gpt-4o", tokens, book=book) == 1, "the maker of the model is meant"
    assert cost("gpt-4o", tokens, "azure", book=book) == Decimal("2.5")
    assert cost("gpt-4o-mini", tokens, "openai", book=book) == Decimal("0.15")


def test_the_more_an_entered_price_says_the_sooner_it_counts() -> None:
    book = PriceBook(
        [
            entered("*", "1", 1, "ollama"),
            entered("qwen*", "2", 2, "ollama"),
            entered("qwen3:8b", "3", 3),
            entered("qwen3:8b", "4", 4, "ollama"),
            entered("qwen3:14b", "5", 5),
        ]
    )
    tokens = Tokens(1_000_000, 0)
    assert cost("llama3", tokens, "ollama", book=book) == 1
    assert cost("qwen2.5", tokens, "ollama", book=book) == 2
    assert cost("qwen3:8b", tokens, "vllm", book=book) == 3
    assert cost("qwen3:8b", tokens, "ollama", book=book) == 4
    assert cost("llama3", tokens, "vllm", book=book) is None


def test_entered_prices_follow_each_other_by_day() -> None:
    book = PriceBook(
        [
            entered("m", "1", 1),
            entered("m", "2", 2, days=(date(2026, 6, 1), date(2026, 6, 30))),
            entered("m", "3", 3, days=(date(2026, 6, 15), None)),
        ]
    )
    days = {date(2026, 5, 31): 1, date(2026, 6, 1): 2, date(2026, 6, 30): 3, date(2026, 7, 1): 3}
    for day, price in days.items():
        at = datetime(day.year, day.month, day.day, 23, 59, tzinfo=UTC)
        assert cost("m", Tokens(1_000_000, 0), at=at, book=book) == price


def test_entered_price_of_either_name_goes_before_a_listed_one() -> None:
    book = PriceBook([entered("our-fast-model", "1", 1)])
    names = ("gpt-4o", "our-fast-model")
    quote = book.quote_first(names, "openai", Tokens(1_000_000, 0), NOW)
    assert quote is not None
    assert quote.rule.override_id == 1
    listed = BOOK.quote_first(names[::-1], "openai", Tokens(1_000_000, 0), NOW)
    assert listed is not None
    assert listed.rule.model == "gpt-4o"


def test_price_of_0_that_was_entered_is_a_price() -> None:
    book = PriceBook([entered("*", "0", 1, "ollama")])
    assert cost("qwen3:8b", Tokens(None, None), "ollama", book=book) == 0


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("gpt-4o", "gpt-4o", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-*", "gpt-", True),
        ("*-mini", "gpt-4o-mini", True),
        ("g*4*mini", "gpt-4o-mini", True),
        ("a*a", "a", False),
        ("*", "", True),
        ("a.c", "abc", False),
        ("*a*a*a*a*b", "a" * 200, False),
    ],
)
def test_star_in_a_pattern_stands_for_any_characters(
    pattern: str, name: str, expected: bool
) -> None:
    assert matches(pattern, name) is expected
