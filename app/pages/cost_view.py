"""How the cost of a model step came about, as the trace shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlencode

from app.core.templating import price
from app.core.texts import _, lazy
from app.core.wording import number
from app.models import Span
from app.models.executions import CostSource
from app.models.spans import MODEL_KINDS
from app.services.pricing.arrivals import names_in, quote_of
from app.services.pricing.books import PriceBook
from app.services.pricing.rules import LineKind, PriceRule, Quote
from app.services.spans import FullSpan
from app.services.traces import has_usage

WORDS = {
    LineKind.INPUT: lazy("Input"),
    LineKind.CACHE_READ: lazy("Read from a cache"),
    LineKind.CACHE_WRITE: lazy("Written to a cache"),
    LineKind.OUTPUT: lazy("Output"),
    LineKind.REQUEST: lazy("The call itself"),
}
APART = lazy("The sender counted cached tokens beside the input; they are added to it.")
NO_TOKENS = lazy("The sender did not say how many tokens went in and out.")
PRICED_NOW = lazy("It had no price when it arrived; one is known now.")
CHANGED = lazy("Prices have changed since: this step was stored with {stored}.")


@dataclass(frozen=True, slots=True)
class CostLine:
    """``count`` × ``price`` = ``amount``, as text."""

    what: str
    count: int
    price: str
    amount: str


@dataclass(frozen=True, slots=True)
class CostView:
    """``unknown_model`` is one that no price is known for; ``add_href`` is where to enter one.

    ``is_old`` says that it would cost something else if it were computed now.
    """

    source: str
    lines: list[CostLine]
    total: str | None = None
    rule: str | None = None
    rule_href: str | None = None
    notes: tuple[str, ...] = ()
    is_old: bool = False
    unknown_model: str | None = None
    add_href: str | None = None


def cost_view(full: FullSpan, book: PriceBook) -> CostView | None:
    """``None`` for steps that no model was asked in, or that say nothing of it."""
    span = full.span
    if span.kind not in MODEL_KINDS or not (has_usage(span) or span.model_name):
        return None
    if span.cost_source is CostSource.REPORTED:
        return CostView(CostSource.REPORTED.value, [])
    quote = quote_of(book, span, full.attributes, span.provider_name, span.started_at)
    if quote is None:
        return unpriced_view(full)
    return CostView(
        source=span.cost_source.value,
        lines=lines_of(quote),
        total=price(quote.total),
        rule=rule_words(quote),
        rule_href=rule_href(quote.rule),
        notes=tuple(notes_on(span.cost, quote)),
        is_old=span.cost != quote.total,
    )


def unpriced_view(full: FullSpan) -> CostView:
    """A cost that was computed stays shown, though what it was computed by is gone."""
    span = full.span
    source = span.cost_source.value
    if span.cost is not None:
        return CostView(source, [], notes=(CHANGED.format(stored=price(span.cost)),), is_old=True)
    if span.input_tokens is None and span.output_tokens is None:
        return CostView(source, [], notes=(NO_TOKENS,))
    model = next(iter(names_in(span.model_name, full.attributes)), _("this model"))
    asked = {"model": span.model_name or model, "provider": span.provider_name or ""}
    href = f"/model-prices/new?{urlencode({k: v for k, v in asked.items() if v})}"
    return CostView(source, [], unknown_model=model, add_href=href)


def lines_of(quote: Quote) -> list[CostLine]:
    return [
        CostLine(
            WORDS[line.kind],
            line.count,
            price(line.price) + ("" if line.kind is LineKind.REQUEST else " / 1M"),
            price(line.amount),
        )
        for line in quote.lines
    ]


def rule_words(quote: Quote) -> str:
    rule = quote.rule
    words = [
        _(
            "%(list)s: %(model)s of %(provider)s",
            list=rule.source,
            model=rule.model,
            provider=rule.provider,
        )
        if rule.provider
        else f"{rule.source}: {rule.model}"
    ]
    if rule.since is not None:
        words.append(_("since %(since)s", since=rule.since))
    if rule.until is not None:
        words.append(_("until %(until)s", until=rule.until))
    if rule.hours is not None:
        words.append(
            _(
                "%(start_time)s to %(end_time)s UTC",
                start_time=rule.hours.start_time.strftime("%H:%M"),
                end_time=rule.hours.end_time.strftime("%H:%M"),
            )
        )
    if quote.tier.above:
        words.append(_("above %(above)s input tokens", above=number(quote.tier.above)))
    return ", ".join(words)


def rule_href(rule: PriceRule) -> str | None:
    return None if rule.override_id is None else f"/model-prices/{rule.override_id}"


def notes_on(stored: Decimal | None, quote: Quote) -> list[str]:
    notes = [APART] if quote.counts.are_apart else []
    if stored is None:
        return [*notes, PRICED_NOW]
    return notes if stored == quote.total else [*notes, CHANGED.format(stored=price(stored))]


def count_unpriced(spans: Sequence[Span]) -> int:
    """Model steps that used tokens and have no cost: the run's total is short of them."""
    return sum(span.cost is None and has_usage(span) for span in spans)
