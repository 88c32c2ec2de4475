"""What a model call of a trace costs, by the price lists."""

from decimal import Decimal

from app.services.ingestion.facts import SpanFacts
from app.services.ingestion.wire import WireSpan
from app.services.pricing import Tokens, price_of
from app.services.spans import moment_of


def price_span(span: WireSpan, facts: SpanFacts) -> Decimal | None:
    """USD, or ``None`` where no price is known."""
    if not facts.model_name:
        return None
    usage = facts.usage
    tokens = Tokens(usage.input, usage.output, usage.cached, usage.cache_write)
    return price_of(facts.model_name, tokens, moment_of(span.start_ns), provider=facts.provider)
