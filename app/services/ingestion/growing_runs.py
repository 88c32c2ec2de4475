"""Totals of a long run that grows: what a batch adds to them, where it does nothing else.

Of steps that come one by one, summing the run anew for each would take longer with every step. One
that is new adds itself, unless usage is known below it already, and takes nothing away, unless
usage above it was counted already. So of long runs it is kept which ids are *awaited*: those that
are above usage and not here yet. Whatever else happens has the run summed anew.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.models.executions import CostSource
from app.models.spans import SpanStatus
from app.services.ingestion import statements as sql
from app.services.ingestion.claims import Claims, extent_of
from app.services.ingestion.new_runs import Row
from app.services.ingestion.prepared import Item
from app.services.traces import has_usage, sums_of

AWAITED = "awaited"  # among the claims: the version of the run's row, and the ids in hex
USED = (*sql.TOTALS, "cost", "cost_source")
Stored = Mapping[bytes, Sequence[tuple[datetime, Row]]]  # by span id: each start, and the row


@dataclass(frozen=True, slots=True)
class Growth:
    """What a batch adds to a run, as ``sql.ADDED`` has it, and which ids are awaited then."""

    added: tuple[Any, ...]
    awaited: frozenset[bytes]


def awaited_in(claims: Claims, version: int) -> frozenset[bytes] | None:
    """``None`` where it is not known, or somebody else has written to the run since."""
    kept = claims.get(AWAITED)
    if kept is None or kept[0] != version:
        return None
    return frozenset(map(bytes.fromhex, kept[1]))


def keep_awaited(claims: Claims, version: int, awaited: Iterable[bytes] | None) -> None:
    """Of a short run nothing, nor of one that waits for too many."""
    ids = None if awaited is None else sorted(span_id.hex() for span_id in awaited)
    if ids is None or len(ids) > sql.MAX_AWAITED:
        claims.pop(AWAITED, None)
    else:
        claims[AWAITED] = [version, ids]


def said(step: Row) -> tuple[Any, ...]:
    """What of a step has to do with totals, but for whether it failed."""
    used = tuple(getattr(step, name) for name in USED) if has_usage(step) else None
    return step.parent_span_id, used


def failures(step: Row) -> int:
    return int(step.status == SpanStatus.ERROR)


def new_steps(items: Iterable[Item], stored: Stored) -> tuple[list[Row], int] | None:
    """Those that are not stored yet, and how many failures more there are.

    ``None`` where one says something else than before, or is there with another start.
    """
    new: dict[bytes, Row] = {}
    failed = 0
    for item in items:
        step = Row(item.key[1], *item.row)
        before = stored.get(step.span_id, ())
        if not before and step.span_id not in new:
            new[step.span_id] = step
            failed += failures(step)
            continue
        if len(before) != 1 or before[0][0] != item.key[2]:
            return None
        old = before[0][1]
        if old.end_ns is not None and (step.end_ns is None or step.end_ns < old.end_ns):
            continue  # from before its end: it is not stored
        if said(step) != said(old):
            return None
        failed += failures(step) - failures(old)
    return list(new.values()), failed


def above(new: Sequence[Row], stored: Stored, awaited: frozenset[bytes]) -> set[bytes] | None:
    """All ids above usage that is new there; ``None`` where one of them may be counted."""
    known = {step.span_id: step for step in new}
    carrying = [step for step in new if has_usage(step) or step.span_id in awaited]
    waiting = [step.parent_span_id for step in carrying]
    found: set[bytes] = set()
    while waiting:
        span_id = waiting.pop()
        if span_id is None or span_id in found:
            continue
        found.add(span_id)
        if span_id in known:
            waiting.append(known[span_id].parent_span_id)
        for _, step in stored.get(span_id, ()):
            if has_usage(step):
                return None
            waiting.append(step.parent_span_id)
    return found


def growth_of(items: Iterable[Item], stored: Stored, awaited: frozenset[bytes]) -> Growth | None:
    """``stored`` holds the steps with the ids of these items, and all that are above them.

    ``None`` where the run is to be summed anew.
    """
    counted = new_steps(items, stored)
    if counted is None:
        return None
    new, failed = counted
    higher = above(new, stored, awaited)
    if higher is None:
        return None
    leaves = [step for step in new if has_usage(step) and step.span_id not in awaited | higher]
    sums = sums_of(leaves)
    totals = tuple(getattr(sums, name) for name in (*sql.TOTALS, "cost"))
    is_computed = any(step.cost_source == CostSource.COMPUTED for step in leaves)
    here = {step.span_id for step in new}
    missing = (awaited | higher) - here - stored.keys()
    return Growth((*totals, is_computed, len(new), failed), frozenset(missing))


async def stored_steps(
    driver: sql.Driver, runs: Sequence[tuple[bytes, Claims, Sequence[Item]]]
) -> dict[bytes, dict[bytes, list[tuple[datetime, Row]]]] | None:
    """By stored trace id: the steps with the ids of these items, and those above them.

    ``None`` where they are too many to be looked at.
    """
    extents = [extent_of(claims) for _, claims, _ in runs]
    named = [
        (stored_id, span_id)
        for stored_id, _, items in runs
        for item in items
        for span_id in {item.key[1], item.row[0]} - {None}
    ]
    most = len(named) + sql.MAX_ABOVE
    bounds = min(e[0] for e in extents), max(e[1] for e in extents)
    rows = await driver.fetch(sql.STEPS_ABOVE, *map(list, zip(*named, strict=True)), *bounds, most)
    if len(rows) >= most:
        return None
    found: dict[bytes, dict[bytes, list[tuple[datetime, Row]]]] = {run[0]: {} for run in runs}
    for trace_id, started_at, *row in rows:
        if started_at is not None:
            found[trace_id].setdefault(row[0], []).append((started_at, Row(*row)))
    return found
