"""What a model call of a trace costs, by the prices that were entered or the price lists."""

from decimal import Decimal

from app.services.ingestion.facts import SpanFacts
from app.services.ingestion.wire import WireSpan
from app.services.pricing import PriceBook, Tokens
from app.services.pricing.arrivals import names_in
from app.services.spans import moment_of


def price_span(book: PriceBook, span: WireSpan, facts: SpanFacts) -> Decimal | None:
    """USD, or ``None`` where no price is known."""
    usage = facts.usage
    tokens = Tokens(usage.input, usage.output, usage.cached, usage.cache_write)
    models = names_in(facts.model_name, facts.attributes)
    quote = book.quote_first(models, facts.provider, tokens, moment_of(span.start_ns))
    return None if quote is None else quote.total
