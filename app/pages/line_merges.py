"""Two changes of one text, merged line by line."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import chain, groupby

from app.pages.diffs import QUICK_LINES

CONTEXT_LINES = 2
SAME, THEIRS, YOURS, ALIKE, CONFLICT = "same", "theirs", "yours", "alike", "conflict"
MAX_LINES = 5_000  # of all three together; longer texts are chosen as a whole
Lines = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """Lines that nobody changed, one side did, both did alike, or both did apart (``CONFLICT``)."""

    kind: str
    base: Lines
    theirs: Lines
    yours: Lines

    @property
    def chosen(self) -> Lines:
        """What becomes of it where there is nothing to choose."""
        return self.theirs if self.kind in (THEIRS, ALIKE) else self.yours

    @property
    def head(self) -> Lines:
        """What is shown of lines that nobody changed: those beside a change."""
        return self.base if self.gap == 0 else self.base[:CONTEXT_LINES]

    @property
    def tail(self) -> Lines:
        return () if self.gap == 0 else self.base[-CONTEXT_LINES:]

    @property
    def gap(self) -> int:
        hidden = len(self.base) - 2 * CONTEXT_LINES
        return hidden if self.kind == SAME and hidden > 1 else 0


def lines_in(text: str) -> list[str]:
    """Joined by line ends they are the text again, with or without one at its end."""
    return text.replace("\r\n", "\n").split("\n")


def merge_lines(base: str, theirs: str, yours: str) -> list[Part]:
    """Empty where the texts are too long. Source: Khanna, Kunal, Pierce, "A Formal Investigation
    of Diff3" (2007), with difflib's matching blocks for the longest common subsequences.
    """
    sides = [lines_in(text) for text in (base, theirs, yours)]
    if sum(map(len, sides)) > MAX_LINES:
        return []
    parts: list[Part] = []
    done = [0, 0, 0]
    for starts, length in stable_regions(*sides):
        before = [tuple(lines[a:b]) for lines, a, b in zip(sides, done, starts, strict=True)]
        if any(before):
            parts += parts_of(*before)
        if length:
            lines = tuple(sides[0][starts[0] : starts[0] + length])
            parts.append(Part(SAME, lines, lines, lines))
        done = [start + length for start in starts]
    return parts


def stable_regions(
    base: Sequence[str], theirs: Sequence[str], yours: Sequence[str]
) -> Iterator[tuple[list[int], int]]:
    """Where lines are the same in all three: their first places and how many; the ends last."""
    left, right = matches(base, theirs), matches(base, yours)
    i = j = 0
    while i < len(left) and j < len(right):
        (a, a_there, a_size), (b, b_there, b_size) = left[i], right[j]
        start, end = max(a, b), min(a + a_size, b + b_size)
        if start < end:
            yield [start, a_there + start - a, b_there + start - b], end - start
        if a + a_size < b + b_size:
            i += 1
        else:
            j += 1
    yield [len(base), len(theirs), len(yours)], 0


def matches(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int, int]]:
    is_long = len(old) * len(new) > QUICK_LINES**2
    found = SequenceMatcher(None, old, new, autojunk=is_long).get_matching_blocks()
    return [(match.a, match.b, match.size) for match in found if match.size]


def parts_of(base: Lines, theirs: Lines, yours: Lines) -> Iterator[Part]:
    """One part, or where as many lines stand on each side the fewest that both changed."""
    whole = part_of(base, theirs, yours)
    if whole.kind != CONFLICT or not len(base) == len(theirs) == len(yours):
        yield whole
        return
    by_line = [part_of((b,), (t,), (y,)) for b, t, y in zip(base, theirs, yours, strict=True)]
    for kind, group in groupby(by_line, key=lambda part: part.kind):
        sides = zip(*((part.base, part.theirs, part.yours) for part in group), strict=True)
        yield Part(kind, *(tuple(chain.from_iterable(side)) for side in sides))


def part_of(base: Lines, theirs: Lines, yours: Lines) -> Part:
    if theirs == yours:
        return Part(SAME if yours == base else ALIKE, base, theirs, yours)
    if theirs == base:
        return Part(YOURS, base, theirs, yours)
    return Part(THEIRS if yours == base else CONFLICT, base, theirs, yours)


def merged_text(parts: Sequence[Part], choices: Mapping[int, str]) -> str:
    """``choices`` by the place of a conflict: theirs, yours or both; yours where none is made."""
    lines: list[str] = []
    for place, part in enumerate(parts):
        choice = choices.get(place, YOURS) if part.kind == CONFLICT else ""
        if choice == "both":
            lines += [*part.theirs, *part.yours]
        else:
            lines += part.theirs if choice == THEIRS else part.chosen
    return "\n".join(lines)
