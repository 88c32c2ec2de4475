"""Totals of runs that are new: all of their spans are in the batch, so none is read back."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from app.models.executions import CostSource
from app.models.spans import SpanStatus
from app.services.ingestion.prepared import Item
from app.services.ingestion.reports import source_of
from app.services.traces import leaf_model_steps, sums_of


@dataclass(slots=True)
class Row:
    """The id of an ``Item``, and its row."""

    span_id: bytes
    parent_span_id: bytes | None
    kind: str
    name: str
    status: str
    start_ns: int
    end_ns: int | None
    model_name: str | None
    provider_name: str | None
    tool_name: str | None
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    cost: Decimal | None
    cost_source: CostSource


def totals_in(items: Iterable[Item]) -> tuple[Any, ...]:
    """As ``sql.TOTALS_COLUMNS`` has them."""
    steps = [Row(item.key[1], *item.row) for item in items]
    leaves = leaf_model_steps(steps)
    sums = sums_of(leaves)
    return (
        sums.input_tokens,
        sums.output_tokens,
        sums.cached_tokens,
        sums.cache_write_tokens,
        sums.reasoning_tokens,
        sums.cost,
        source_of(sums.cost, {step.cost_source for step in leaves}),
        len(steps),
        sum(step.status == SpanStatus.ERROR for step in steps),
    )
