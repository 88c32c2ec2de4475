"""Counts in parts are the counts of the whole."""

from collections import Counter
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.services.analysis.counting import (
    Keyed,
    Number,
    Sample,
    Sightings,
    Sketch,
    quantile_of,
    sighting,
)

NUMBERS = st.lists(st.integers(0, 10**12), min_size=1, max_size=200)
FRACTIONS = st.sampled_from([0.0, 0.25, 0.5, 0.9, 0.95, 0.99, 1.0])


@given(NUMBERS, FRACTIONS)
def test_sketch_is_within_one_percent_of_a_value_at_that_rank(
    values: list[int], fraction: float
) -> None:
    sketch = Sketch()
    for value in values:
        sketch.add(value)
    exact = sorted(values)[int(fraction * (len(values) - 1))]
    # Half a percent more for writing it with three digits.
    assert abs(sketch.quantile(fraction) - exact) <= 0.015 * exact + 1e-9


@given(NUMBERS, st.integers(0, 200))
def test_sketches_of_parts_are_that_of_the_whole(values: list[int], cut: int) -> None:
    whole, one, other = Sketch(), Sketch(), Sketch()
    for place, value in enumerate(values):
        whole.add(value)
        (one if place < cut else other).add(value)
    one.merge(other)
    assert vars(one) == vars(whole)


@given(st.lists(st.integers(0, 60)), st.integers(1, 20), st.integers(1, 9))
def test_kept_keys_are_the_same_however_they_come(keys: list[int], limit: int, parts: int) -> None:
    """And each that is kept is counted whole."""
    whole: Keyed[int, Number] = Keyed(Number, limit)
    pieces = [Keyed[int, Number](Number, limit) for _ in range(parts)]
    for place, key in enumerate(keys):
        whole[key].count += 1
        pieces[place % parts][key].count += 1
    merged = pieces.pop()
    for piece in pieces:
        merged.merge(piece)
    found = {key: number.count for key, number in merged.items()}
    assert found == {key: number.count for key, number in whole.items()}
    assert found.items() <= Counter(keys).items()
    assert len(found) == min(limit, len(set(keys)))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 40)), unique_by=lambda s: s[1]))
def test_first_sightings_are_the_same_in_any_order(seen: list[tuple[int, int]]) -> None:
    forward, backward = Sightings(5), Sightings(5)
    for rank, run_id in seen:
        forward.note([sighting(run_id, rank=rank)])
    for rank, run_id in reversed(seen):
        part = Sightings(5)
        part.note([sighting(run_id, rank=rank)])
        backward.merge(part)
    assert vars(forward) == vars(backward)
    assert [one.rank for one in forward.first] == sorted(rank for rank, _ in seen)[:5]


def test_quantiles_lie_between_values_as_postgresql_counts_them() -> None:
    values: list[Any] = [10, 20, 30, 40]
    assert quantile_of(values, 0.5) == 25
    assert quantile_of(values, 0.95) == 38.5
    assert quantile_of([], 0.5) is None


def test_money_adds_up_exactly() -> None:
    sample = Sample()
    for _ in range(10):
        sample.add(Decimal("0.1"))
    assert sample.total == Decimal("1.0")
