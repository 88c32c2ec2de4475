"""The summary of a report: a model is asked, and whatever comes of it, the report stays whole."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

import structlog

from app.core.completions import Completion
from app.core.providers import ModelCall
from app.exceptions import AppError
from app.schemas.analyses import AnalysisReport, AnalysisSummary
from app.services.analysis.summaries import (
    MAX_TEXT_CHARS,
    Unusable,
    call_for,
    given_of,
    text_in,
)
from app.services.pricing import PriceBook, Tokens
from app.services.pricing.arrivals import ANSWERED, names_in
from app.services.running.runner import Running

log = structlog.get_logger("greenroom.analyses")
# However slowly an answer drips; until one begins, PROVIDER_TIMEOUT_S holds as for runs.
WITHIN_S = 300.0


@dataclass(slots=True)
class Writing:
    """An answer on its way; one that grows too long is left, as each word of it costs."""

    completion: Completion = field(default_factory=Completion)

    def heard(self, _: str) -> None:
        if len(self.completion.first.content) > 2 * MAX_TEXT_CHARS:
            raise Unusable("The model's answer was too long for a summary.")


async def summary_of(
    running: Running, book: PriceBook, model: str, report: AnalysisReport
) -> AnalysisSummary:
    """What the model wrote of the findings, or why it wrote nothing of use. Never raises for it.

    Cancelling it leaves the answer.
    """
    given = given_of(report.findings)
    if not given:
        return without(model, "There are no findings to sum up.")
    writing = Writing()
    text, reason = await written(running, call_for(model, report, given), writing, given)
    usage = writing.completion.usage
    return AnalysisSummary(
        model=model,
        text=text,
        reason=reason,
        findings=len(given),
        input_tokens=usage.input,
        output_tokens=usage.output,
        cost=cost_of(running, book, model, writing.completion),
    )


async def written(
    running: Running, call: ModelCall, writing: Writing, given: Sequence[str]
) -> tuple[str | None, str | None]:
    """The text, or why there is none."""
    try:
        async with asyncio.timeout(WITHIN_S):
            await running.provider.complete(call, writing.heard, writing.completion)
        return text_in(writing.completion, len(given)), None
    except Unusable as unusable:
        log.warning("summary is of no use", model=call.model, reason=unusable.reason)
        return None, unusable.reason
    except AppError as error:
        return None, error.message
    except TimeoutError:
        return None, f"The model was not done within {WITHIN_S:g} seconds."


def without(model: str, reason: str) -> AnalysisSummary:
    return AnalysisSummary(
        model=model,
        text=None,
        reason=reason,
        findings=0,
        input_tokens=None,
        output_tokens=None,
        cost=None,
    )


def cost_of(
    running: Running, book: PriceBook, model: str, completion: Completion
) -> Decimal | None:
    """As a step of a run would be priced; ``None`` where tokens or prices are not known."""
    usage = completion.usage
    names = names_in(model, {ANSWERED: completion.model})
    tokens = Tokens(usage.input, usage.output, usage.cached, usage.cache_write)
    quote = book.quote_first(names, running.priced.provider_name, tokens, datetime.now(UTC))
    return None if quote is None else quote.total
