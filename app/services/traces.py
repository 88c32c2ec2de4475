"""What the spans of a run say together: totals, tree and words. Pure functions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from app.models.spans import MODEL_KINDS, SpanStatus

MAX_SEARCH_CHARACTERS = 50_000
MAX_DEPTH = 12


class Step(Protocol):
    """The columns of a span that totals and trees need."""

    span_id: Any
    parent_span_id: Any
    kind: Any
    status: Any
    start_ns: Any
    input_tokens: Any
    output_tokens: Any
    cached_tokens: Any
    cache_write_tokens: Any
    reasoning_tokens: Any
    cost: Any


Of = TypeVar("Of", bound=Step)


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the leaf model spans; a sum of nothing known is unknown, not 0."""

    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    cost: Decimal | None


def has_usage(step: Step) -> bool:
    return step.kind in MODEL_KINDS and any(
        value is not None for value in (step.input_tokens, step.output_tokens, step.cost)
    )


def leaf_model_steps(steps: Sequence[Of]) -> list[Of]:
    """Model steps with usage that have none such below: parents often repeat their children."""
    parents: dict[Any, list[Any]] = {}
    for step in steps:
        if step.parent_span_id is not None and step.span_id is not None:
            parents.setdefault(step.span_id, []).append(step.parent_span_id)
    used = [step for step in steps if has_usage(step)]
    # A step without an id is nobody's parent.
    waiting = [step.parent_span_id for step in used if step.parent_span_id is not None]
    above: set[Any] = set()
    while waiting:
        span_id = waiting.pop()
        if span_id not in above:
            above.add(span_id)
            waiting += parents.get(span_id, ())
    return [step for step in used if step.span_id not in above]


def known_sum(values: Iterable[Any]) -> Any:  # int or Decimal, as the values
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def totals_of(steps: Sequence[Step]) -> Totals:
    return sums_of(leaf_model_steps(steps))


def sums_of(leaves: Sequence[Step]) -> Totals:
    return Totals(
        input_tokens=known_sum(step.input_tokens for step in leaves),
        output_tokens=known_sum(step.output_tokens for step in leaves),
        cached_tokens=known_sum(step.cached_tokens for step in leaves),
        cache_write_tokens=known_sum(step.cache_write_tokens for step in leaves),
        reasoning_tokens=known_sum(step.reasoning_tokens for step in leaves),
        cost=known_sum(step.cost for step in leaves),
    )


def count_errors(steps: Iterable[Step]) -> int:
    return sum(step.status is SpanStatus.ERROR for step in steps)


def in_tree_order(steps: Sequence[Step]) -> list[tuple[Any, int]]:
    """``(step, depth)`` depth first, siblings by start; orphans and cycles count as roots."""
    known = {step.span_id for step in steps}
    children: dict[Any, list[Step]] = {}
    for step in sorted(steps, key=lambda step: step.start_ns):
        parent = step.parent_span_id if step.parent_span_id in known else None
        children.setdefault(None if parent == step.span_id else parent, []).append(step)
    ordered: list[tuple[Step, int]] = []
    seen: set[Any] = set()
    _walk(children, [(step, 0) for step in reversed(children.get(None, []))], ordered, seen)
    for step in steps:
        if step.span_id not in seen:
            _walk(children, [(step, 0)], ordered, seen)
    return ordered


def _walk(
    children: dict[Any, list[Step]],
    stack: list[tuple[Step, int]],
    ordered: list[tuple[Step, int]],
    seen: set[Any],
) -> None:
    while stack:
        step, depth = stack.pop()
        if step.span_id in seen:
            continue
        seen.add(step.span_id)
        ordered.append((step, min(depth, MAX_DEPTH)))
        below = children.get(step.span_id, [])
        stack.extend((child, depth + 1) for child in reversed(below))


def texts_in(value: Any) -> Iterable[str]:  # any JSON value
    """Every text of a JSON value, keys left out."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            stack.extend(reversed(list(item.values())))
        elif isinstance(item, list):
            stack.extend(reversed(item))


def search_text(values: Iterable[Any]) -> str:  # JSON values
    """The words that a run is found by, bounded well below what a tsvector can hold."""
    parts: list[str] = []
    size = 0
    for value in values:
        for text in texts_in(value):
            parts.append(text[:MAX_SEARCH_CHARACTERS])
            size += len(text)
            if size >= MAX_SEARCH_CHARACTERS:
                return " ".join(parts)[:MAX_SEARCH_CHARACTERS]
    return " ".join(parts)
