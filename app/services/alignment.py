"""Two sequences beside each other: the longest common subsequence, quick at a few thousand items.

Bit-parallel (H. Hyyrö, "Bit-Parallel LCS-length Computation Revisited", 2004): one row of the
usual table is one integer, and a step over it a few operations on integers.
"""

from collections.abc import Hashable, Sequence

Pair = tuple[int | None, int | None]


def aligned(left: Sequence[Hashable], right: Sequence[Hashable]) -> list[Pair]:
    """Places of both in order, equal ones in one pair, others with ``None`` on the other side."""
    head = common_head(left, right)
    tail = common_head(left[head:][::-1], right[head:][::-1])
    middle = matched(left[head : len(left) - tail], right[head : len(right) - tail])
    pairs: list[Pair] = [(n, n) for n in range(head)]
    i = j = head
    ends = (len(left) - tail, len(right) - tail)
    for a, b in [*((a + head, b + head) for a, b in middle), ends]:
        pairs += [(n, None) for n in range(i, a)] + [(None, n) for n in range(j, b)]
        if (a, b) != ends:
            pairs.append((a, b))
            i, j = a + 1, b + 1
    return pairs + [(ends[0] + n, ends[1] + n) for n in range(tail)]


def common_head(left: Sequence[Hashable], right: Sequence[Hashable]) -> int:
    pairs = zip(left, right, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(left), len(right)))


def matched(left: Sequence[Hashable], right: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Pairs of equal items, as many as there can be without crossing."""
    if not left or not right:
        return []
    places: dict[Hashable, int] = {}
    for n, item in enumerate(left):
        places[item] = places.get(item, 0) | 1 << n
    mask = (1 << len(left)) - 1
    rows, row = [], mask
    for item in right:
        at = row & places.get(item, 0)
        row = ((row + at) | (row - at)) & mask
        rows.append(row)
    return traced(rows, len(left))


def traced(rows: Sequence[int], width: int) -> list[tuple[int, int]]:
    """Back through the table: a bit that is off in a row and on in the one before is a match."""
    found: list[tuple[int, int]] = []
    i, j = width - 1, len(rows) - 1
    while i >= 0 and j >= 0:
        if rows[j] >> i & 1:
            i -= 1
        elif j and not rows[j - 1] >> i & 1:
            j -= 1
        else:
            found.append((i, j))
            i, j = i - 1, j - 1
    return found[::-1]
