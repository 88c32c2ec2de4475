"""The arithmetic of one call: token counts, a price rule, and the quote that follows."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum

from genai_prices.types import TimeOfDateConstraint

NINE_PLACES = Decimal("1e-9")
MOST = Decimal("1e9")
PER_MILLION = -6


@dataclass(frozen=True, slots=True)
class Tokens:
    """Of one call. ``input`` is the total, those read from and written to a cache included."""

    input: int | None
    output: int | None
    cached: int | None = None
    cache_write: int | None = None


class LineKind(StrEnum):
    """What a line of a quote is for."""

    INPUT = "input"
    CACHE_READ = "cache_read"
    CACHE_WRITE = "cache_write"
    OUTPUT = "output"
    REQUEST = "request"


@dataclass(frozen=True, slots=True)
class Rates:
    """USD per million tokens; ``request`` is USD for the call itself.

    Without a price of their own, tokens read from or written to a cache cost what input costs.
    """

    input: Decimal | None
    output: Decimal | None
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    request: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Tier:
    """Rates of all tokens of a call with more than ``above`` input tokens."""

    above: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class PriceRule:
    """Prices of a model, and when they hold: UTC days, both included, and hours where they matter.

    ``tiers`` ascend; the first is for every call. ``override_id`` is the row that was entered here.
    """

    source: str
    model: str
    tiers: tuple[Tier, ...]
    provider: str | None = None
    override_id: int | None = None
    since: date | None = None
    until: date | None = None
    hours: TimeOfDateConstraint | None = None

    def holds(self, at: datetime) -> bool:
        if self.since is None and self.until is None and self.hours is None:
            return True
        day = at.astimezone(UTC).date()
        return (
            (self.since is None or day >= self.since)
            and (self.until is None or day <= self.until)
            and (self.hours is None or self.hours.active(at))
        )

    def tier_for(self, input_tokens: int) -> Tier:
        for tier in reversed(self.tiers):
            if input_tokens > tier.above:
                return tier
        return self.tiers[0]


@dataclass(frozen=True, slots=True)
class Counts:
    """What is charged; the parts add up. ``are_apart``: cached tokens came beside the input."""

    uncached: int
    cache_read: int
    cache_write: int
    output: int
    are_apart: bool

    @property
    def input(self) -> int:
        return self.uncached + self.cache_read + self.cache_write


@dataclass(frozen=True, slots=True)
class QuoteLine:
    """``count`` × ``price`` = ``amount``, exact. The price is per million, of a request per one."""

    kind: LineKind
    count: int
    price: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Quote:
    """What a call costs, USD to nine places, and how that came about."""

    total: Decimal
    rule: PriceRule
    tier: Tier
    counts: Counts

    @property
    def lines(self) -> list[QuoteLine]:
        """The arithmetic; its amounts add up to the total before that is rounded."""
        return [
            QuoteLine(kind, count, price, amount_of(kind, count, price))
            for kind, count, price in charged(self.counts, self.tier.rates)
            if count
        ]


def counts_of(tokens: Tokens) -> Counts:
    """Counts that are not known are 0 here; ``quote_by`` says where that will not do.

    Senders that count cached tokens apart report fewer input tokens than cached ones.
    """
    read, written = tokens.cached or 0, tokens.cache_write or 0
    given = tokens.input or 0
    apart = read + written > given
    uncached = given if apart else given - read - written
    return Counts(uncached, read, written, tokens.output or 0, apart)


def charged(counts: Counts, rates: Rates) -> list[tuple[LineKind, int, Decimal]]:
    """What is counted at which price; cached tokens without a price are input like any other."""
    uncached, parts = counts.uncached, []
    if rates.cache_read is None:
        uncached += counts.cache_read
    else:
        parts.append((LineKind.CACHE_READ, counts.cache_read, rates.cache_read))
    if rates.cache_write is None:
        uncached += counts.cache_write
    else:
        parts.append((LineKind.CACHE_WRITE, counts.cache_write, rates.cache_write))
    if rates.input is not None:
        parts.insert(0, (LineKind.INPUT, uncached, rates.input))
    if rates.output is not None:
        parts.append((LineKind.OUTPUT, counts.output, rates.output))
    if rates.request is not None:
        parts.append((LineKind.REQUEST, 1, rates.request))
    return parts


def amount_of(kind: LineKind, count: int, price: Decimal) -> Decimal:
    amount = price * count
    return amount if kind is LineKind.REQUEST else amount.scaleb(PER_MILLION)


def is_covered(tokens: Tokens, counts: Counts, rates: Rates) -> bool:
    """Whether every count is known that has a price, and has a price if there is any."""
    if rates.input is None and rates.output is None:
        return rates.request is not None
    knows_input = tokens.input is not None or not rates.input
    knows_output = tokens.output is not None or not rates.output
    has_input = rates.input is not None or not counts.uncached
    has_output = rates.output is not None or not counts.output
    return knows_input and knows_output and has_input and has_output


def quote_by(rule: PriceRule, tokens: Tokens) -> Quote | None:
    """``None`` where a count is missing that the rule has a price for, or the other way round."""
    counts = counts_of(tokens)
    tier = rule.tier_for(counts.input)
    if not is_covered(tokens, counts, tier.rates):
        return None
    total = sum(
        (amount_of(kind, n, price) for kind, n, price in charged(counts, tier.rates)), Decimal(0)
    )
    return Quote(total.quantize(NINE_PLACES), rule, tier, counts) if total < MOST else None
