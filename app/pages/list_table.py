"""The columns of a list: which are shown, and which of their headings sort it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.pages.list_state import ListState, Pairs


@dataclass(frozen=True, slots=True)
class Column:
    """``sort`` is the service's name, with - where a first click is to descend."""

    key: str
    label: str
    sort: str = ""
    is_number: bool = False
    is_default: bool = True
    is_fixed: bool = False
    # Left out on narrow screens, unless it was chosen.
    is_wide: bool = False
    # Shown only where there is much room.
    is_extra: bool = False

    @property
    def css(self) -> str:
        parts = (("num", self.is_number), ("hide-s", self.is_wide), ("roomy", self.is_extra))
        return " ".join(name for name, applies in parts if applies)


@dataclass(frozen=True, slots=True)
class Head:
    label: str
    href: str
    direction: str
    css: str


@dataclass(frozen=True, slots=True)
class Table:
    """What the rows of a list show."""

    columns: Sequence[Column]
    offered: Sequence[Column]
    heads: list[Head]
    kept: Pairs
    reset_href: str

    @property
    def keys(self) -> set[str]:
        return {column.key for column in self.columns}

    @property
    def extra_keys(self) -> set[str]:
        """Of those that a narrower window leaves out, though nobody unticked them."""
        return {column.key for column in self.columns if column.is_extra}


def table_of(
    state: ListState,
    offered: Sequence[Column],
    remembered: Sequence[str] = (),
    usual: Sequence[str] = (),
) -> Table:
    """``usual`` are shown beside the defaults where there is room, unless columns were chosen."""
    chosen = state.columns or remembered
    if chosen:
        asked = [c for c in offered if c.is_fixed or c.key in chosen]
        shown = [replace(column, is_wide=False) for column in asked]
    else:
        shown = [
            replace(c, is_extra=c.key in usual) for c in offered if c.is_default or c.key in usual
        ]
    return Table(
        shown,
        offered,
        [head_of(state, column) for column in shown],
        state.pairs(["cols"]),
        state.href(["cols"]),
    )


def head_of(state: ListState, column: Column) -> Head:
    css = column.css
    if not column.sort:
        return Head(column.label, "", "", css)
    current = state.sort or state.schema.default_sort
    name = column.sort.removeprefix("-")
    if current.removeprefix("-") != name:
        return Head(column.label, sorted_by(state, column.sort), "", css)
    descends = current.startswith("-")
    other = name if descends else f"-{name}"
    direction = "descending" if descends else "ascending"
    return Head(column.label, sorted_by(state, other), direction, css)


def sorted_by(state: ListState, sort: str) -> str:
    return state.href(["sort"], sort=state.schema.sort(sort))
