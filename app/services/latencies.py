"""Latencies in buckets of fixed bounds, and the percentiles that can be told from them.

A bucket is at most a sixteenth as wide as where it begins, and its middle stands for all in it: no
percentile is further than 1/32 (3.2 %) from the true one. Below 32 ms every bucket is one
millisecond wide, so there it is exact.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from math import ceil

STEPS = 16  # buckets for each doubling
# How far an estimate may be above or below the true value, rounded up.
MOST_OFF_PERCENT = ceil(1000 / (2 * STEPS)) / 10
DOUBLINGS = 43  # up to 2^48 ms, longer than any two moments lie apart


def bounds() -> tuple[int, ...]:
    """Where each bucket begins, in ms; the bucket's number is its place here, from 1."""
    small = tuple(range(2 * STEPS))
    large = (STEPS + step << double for double in range(1, DOUBLINGS + 1) for step in range(STEPS))
    return (*small, *large)


BOUNDS = bounds()


def middle_ms(bucket: int) -> float:
    """Of the whole milliseconds that fall into the bucket."""
    start = BOUNDS[bucket - 1]
    end = BOUNDS[bucket] if bucket < len(BOUNDS) else 2 * start
    return (start + end - 1) / 2


def percentile_ms(buckets: Sequence[int], counts: Sequence[int], fraction: float) -> float | None:
    """As PostgreSQL's ``percentile_cont`` would over the middles; ``None`` of no latencies."""
    if not buckets:
        return None
    ends = list(accumulate(counts))
    place = fraction * (ends[-1] - 1)
    rank = int(place)
    low = middle_ms(buckets[bisect_right(ends, rank)])
    if place == rank:
        return low
    high = middle_ms(buckets[bisect_right(ends, rank + 1)])
    return low + (high - low) * (place - rank)
