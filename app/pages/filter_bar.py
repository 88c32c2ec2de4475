"""Filters as chips: one for each that is in force, and one for each that could be put on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.core.templating import short_moment
from app.core.texts import _, lazy
from app.core.zones import local
from app.pages.list_state import ListState, Pairs

Choices = Sequence[tuple[str, str]]
SHOWN_VALUES = 3
A_DAY = "2026-01-31"
RANGES = [
    ("1h", lazy("Last hour")),
    ("24h", lazy("Last 24 hours")),
    ("7d", lazy("Last 7 days")),
    ("30d", lazy("Last 30 days")),
]


class Kind(StrEnum):
    """What a chip's menu asks for."""

    MANY = "many"
    ONE = "one"
    TEXT = "text"
    NUMBER = "number"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Filter:
    """``name`` is the URL's parameter, ``others`` are further ones of the same chip."""

    name: str
    label: str
    kind: Kind
    choices: Choices = ()
    others: tuple[str, ...] = ()
    joiner: str = ": "
    unit: str = ""
    hint: str = ""
    # Offered under "more" instead of by a chip of its own.
    is_minor: bool = False
    # Where there are more choices than are shown: the route that finds them.
    find_href: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.others)


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    text: str
    href: str
    is_on: bool


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter, what it is set to, and the ways on from here."""

    filter: Filter
    values: Mapping[str, list[str]]
    text: str
    options: list[Option]
    kept: Pairs
    remove_href: str | None

    def value(self, name: str) -> str:
        return next(iter(self.values.get(name, [])), "")

    def day(self, name: str) -> str:
        """As a field for days has it: a moment is of the day that whoever looks had then."""
        text = self.value(name)
        if len(text) <= len(A_DAY):
            return text
        try:
            moment = datetime.fromisoformat(text)
            last = moment - timedelta(microseconds=1) if name == "until" else moment
            return f"{local(last):%Y-%m-%d}"
        except (ValueError, OverflowError):
            return ""


@dataclass(frozen=True, slots=True)
class Bar:
    """The chips of a list: in force, offered, and offered under "more"."""

    state: ListState
    on: list[Chip]
    off: list[Chip]
    more: list[Chip]
    clear_href: str


def bar_of(state: ListState, filters: Sequence[Filter]) -> Bar:
    chips = [chip_of(state, each) for each in filters]
    off = [chip for chip in chips if not chip.remove_href]
    return Bar(
        state,
        [chip for chip in chips if chip.remove_href],
        [chip for chip in off if not chip.filter.is_minor],
        [chip for chip in off if chip.filter.is_minor],
        state.all_href,
    )


def chip_of(state: ListState, offered: Filter) -> Chip:
    values = {name: state.filters[name] for name in offered.names if name in state.filters}
    chosen = values.get(offered.name, [])
    options = [
        Option(
            value,
            text,
            state.href(offered.names, **{offered.name: value}),
            value in chosen,
        )
        for value, text in offered.choices
    ]
    text = text_of(offered, values)
    remove = state.href(offered.names) if values else None
    return Chip(offered, values, text, options, state.pairs(offered.names), remove)


def text_of(offered: Filter, values: Mapping[str, list[str]]) -> str:
    """A filter in words, such as ``status: Failed``; its name alone where it is not in force."""
    label = "" if values and offered.kind is Kind.TIME else offered.label
    return f"{label}{said(offered, values)}" if values else label


def said(offered: Filter, values: Mapping[str, list[str]]) -> str:
    """What follows the label of a chip that is in force."""
    texts = [str(dict(offered.choices).get(v, v)) for v in values.get(offered.name, [])]
    if offered.kind is Kind.TIME:
        return time_said(texts, values)
    more = f" +{len(texts) - SHOWN_VALUES}" if len(texts) > SHOWN_VALUES else ""
    others = [value for name in offered.others for value in values.get(name, [])]
    shown = ", ".join([*texts[:SHOWN_VALUES], *others])
    return f"{offered.joiner}{offered.unit}{shown}{more}"


def time_said(ranges: Sequence[str], values: Mapping[str, list[str]]) -> str:
    parts = [*(text.lower() for text in ranges)]
    if "since" in values:
        parts.append(_("from %(moment_said)s", moment_said=moment_said(values["since"][0])))
    if "until" in values:
        parts.append(_("to %(moment_said)s", moment_said=moment_said(values["until"][0])))
    return " ".join(parts)


def moment_said(text: str) -> str:
    """A day as it is, a moment in the zone of whoever looks."""
    if len(text) == len(A_DAY):
        return text
    try:
        return short_moment(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return text
