"""Costs follow the published prices of their day; what has no price has no cost."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from app.services.pricing import Tokens, price_of

NOW = datetime(2026, 6, 1, tzinfo=UTC)
OPENAI = "https://api.openai.com/v1"


@pytest.mark.parametrize(
    ("model", "tokens", "cost"),
    [
        ("gpt-4o", Tokens(1000, 100), "0.0035"),
        ("gpt-4o", Tokens(0, 0), "0"),
        # Half of the input is read from the cache, at half the price.
        ("gpt-4o", Tokens(1000, 100, cached=500), "0.002875"),
        # Counted apart: 500 that are new beside 1,000 cached ones.
        ("gpt-4o", Tokens(500, 0, cached=1000), "0.0025"),
        ("gpt-4o-2024-08-06", Tokens(1_000_000, 0), "2.5"),
    ],
)
def test_cost_follows_the_price_list(model: str, tokens: Tokens, cost: str) -> None:
    assert price_of(model, tokens, NOW, base_url=OPENAI) == Decimal(cost)


def test_price_is_that_of_the_day() -> None:
    tokens = Tokens(1000, 0)
    may, august = datetime(2025, 5, 1, tzinfo=UTC), datetime(2025, 8, 1, tzinfo=UTC)
    assert price_of("o3", tokens, may) == Decimal("0.01")
    assert price_of("o3", tokens, august) == Decimal("0.002")


def test_long_inputs_have_a_tier_of_their_own() -> None:
    short = price_of("gemini-2.5-pro", Tokens(100_000, 0), NOW)
    long = price_of("gemini-2.5-pro", Tokens(300_000, 0), NOW)
    assert short is not None
    assert long is not None
    assert long > 3 * short


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("my-own-model", Tokens(1000, 100)),
        ("qwen3:8b", Tokens(1000, 100)),
        ("gpt-4o", Tokens(None, None)),
        ("gpt-4o", Tokens(1000, None)),
        ("gpt-4o", Tokens(10**30, 10**30)),
        ("", Tokens(1, 1)),
    ],
)
def test_what_has_no_known_price_is_unpriced_never_free(model: str, tokens: Tokens) -> None:
    assert price_of(model, tokens, NOW) is None


def test_models_of_an_unknown_server_are_unpriced_unless_the_provider_is_named() -> None:
    """A model on one's own machine costs nothing that a price list knows."""
    tokens, local = Tokens(1000, 100), "http://127.0.0.1:11434/v1"
    assert price_of("gpt-4o", tokens, NOW, base_url=local) is None
    assert price_of("gpt-4o", tokens, NOW, provider="openai", base_url=local) == Decimal("0.0035")
    assert price_of("gpt-4o", tokens, NOW, provider="no-such-provider") is None
