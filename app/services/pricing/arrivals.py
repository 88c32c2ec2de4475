"""Steps without a cost are priced when they arrive, before anything is summed. Pure functions."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from app.models.spans import MODEL_KINDS
from app.schemas.spans import PricedSpan, SpanCreate
from app.services.pricing.books import PriceBook
from app.services.pricing.rules import Quote, Tokens

ANSWERED = "gen_ai.response.model"
NS_PER_S = 1_000_000_000


class Usage(Protocol):
    """The columns of a step that a price needs."""

    model_name: Any
    input_tokens: Any
    output_tokens: Any
    cached_tokens: Any
    cache_write_tokens: Any


def tokens_of(step: Usage) -> Tokens:
    return Tokens(
        step.input_tokens, step.output_tokens, step.cached_tokens, step.cache_write_tokens
    )


def names_in(model_name: str | None, attributes: Mapping[str, Any] | None) -> list[str]:
    """The model that answered, then the one that was asked; prices are tried in this order."""
    answered = (attributes or {}).get(ANSWERED)
    names = [answered if isinstance(answered, str) else None, model_name]
    return list(dict.fromkeys(name for name in names if name))


def quote_of(
    book: PriceBook,
    step: Usage,
    attributes: Mapping[str, Any] | None,
    provider: str | None,
    at: datetime,
) -> Quote | None:
    """What a model step costs by the book; ``None`` when no price is known."""
    return book.quote_first(names_in(step.model_name, attributes), provider, tokens_of(step), at)


def is_to_be_priced(span: SpanCreate) -> bool:
    return span.cost is None and span.kind in MODEL_KINDS


def priced(spans: Sequence[SpanCreate], book: PriceBook, started_at: datetime) -> list[SpanCreate]:
    """The spans; those without a cost as ``PricedSpan`` where one is known.

    ``started_at`` is when a span began that does not say so.
    """
    return [
        priced_span(span, book, started_at) if is_to_be_priced(span) else span for span in spans
    ]


def priced_span(span: SpanCreate, book: PriceBook, started_at: datetime) -> SpanCreate:
    at = started_at
    if span.start_ns is not None:
        at = datetime.fromtimestamp(span.start_ns // NS_PER_S, UTC)
    quote = quote_of(book, span, span.attributes, span.said_provider, at)
    if quote is None:
        return span
    values = dict(span) | {"cost": quote.total}
    return PricedSpan.model_construct(span.model_fields_set | {"cost"}, **values)
