"""Numbers scaled to SVG coordinates, so that templates only place them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

WIDTH, HEIGHT = 100.0, 30.0


@dataclass(frozen=True, slots=True)
class Sparkline:
    """Two SVG paths in a 100 by 30 box: the line, and the area under it."""

    line: str
    area: str
    label: str


def points(
    values: Sequence[float | None], width: float, height: float, top: float
) -> list[tuple[float, float] | None]:
    step = width / max(1, len(values) - 1)
    scale = height / top if top else 0.0
    return [
        None if value is None else (round(i * step, 1), round(height - value * scale, 1))
        for i, value in enumerate(values)
    ]


def path_of(found: Sequence[tuple[float, float] | None]) -> str:
    """Lines between known points; a gap where a value is unknown, a dot between two gaps."""
    stretches = (list(part) for known, part in groupby(found, key=bool) if known)
    return " ".join(line_through([point for point in part if point]) for part in stretches)


def line_through(known: Sequence[tuple[float, float]]) -> str:
    (x, y), *others = known
    # A line of no length has round caps, which make a dot.
    return f"M{x},{y} " + " ".join(f"L{x},{y}" for x, y in others or [(x, y)])


def sparkline(values: Sequence[float | None], label: str) -> Sparkline:
    known = [value or 0.0 for value in values]
    line = path_of(points(known, WIDTH, HEIGHT - 2, max(known, default=0.0)))
    return Sparkline(line, f"{line} L{WIDTH},{HEIGHT} L0,{HEIGHT} Z" if line else "", label)


def nice_top(value: float) -> float:
    """The next round number at or above: 1, 2, 2.5, 5 or 10 times a power of ten."""
    if value <= 0:
        return 1.0
    magnitude = 10.0 ** (len(str(int(value))) - 1) if value >= 1 else 1.0
    return next(
        (magnitude * m for m in (1, 2, 2.5, 5, 10) if magnitude * m >= value), magnitude * 10
    )
