"""How long a price takes: ``python -m tests.load.prices``. In memory, no database."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import typer
from genai_prices import Usage, calc_price

from app.services.pricing import PriceBook, Tokens
from app.services.pricing.overrides import Override
from app.services.pricing.rules import PriceRule, Rates, Tier

AT = datetime(2026, 6, 1, tzinfo=UTC)
TOKENS = Tokens(1000, 100, 500)
TIMES = 50_000
CASES = (
    ("gpt-4o", "openai"),
    ("gemini-2.5-pro", "google"),
    ("o3", "openai"),
    ("deepseek-chat", "deepseek"),
    ("own-model", "ollama"),
    ("no-such-model", "openai"),
)


def microseconds(work: Callable[[], object], times: int = TIMES) -> float:
    work()
    began = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - began) / times * 1e6


def own(number: int) -> Override:
    rule = PriceRule(
        "here",
        "own-*",
        (Tier(0, Rates(Decimal(1), Decimal(2))),),
        override_id=number,
        since=date(2026, 1, 1),
    )
    return Override(f"own-{'' if number == 1 else number}*", None, rule)


def main() -> None:
    book = PriceBook([own(number) for number in range(1, 201)])
    usage = Usage(input_tokens=1000, cache_read_tokens=500, output_tokens=100)
    whole = microseconds(
        lambda: calc_price(usage, "gpt-4o", provider_id="openai", genai_request_timestamp=AT), 2_000
    )
    typer.echo(f"{'genai_prices.calc_price':28}{whole:8.1f} µs")
    for model, provider in CASES:
        took = microseconds(lambda m=model, p=provider: book.quote(m, p, TOKENS, AT))  # type: ignore[misc]  # mypy infers no lambda defaults
        typer.echo(f"{model:28}{took:8.1f} µs")
    new = iter(range(TIMES))
    first = microseconds(lambda: book.quote(f"gpt-4o-{next(new)}", "openai", TOKENS, AT), 2_000)
    typer.echo(f"{'a name never seen before':28}{first:8.1f} µs")


if __name__ == "__main__":
    main()
