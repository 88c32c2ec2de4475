"""Values of columns as the templates show them: text, how to set it, and where it leads."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from app.core.templating import absolute, iso, pretty_json
from app.core.texts import _

EMPTY = "–"
MAX_LIST_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Cell:
    """One value on the page; ``kind`` picks its markup and is never user input."""

    text: str
    kind: str = "text"
    href: str | None = None
    iso: str | None = None


def cell_of(value: Any, href: str | None = None) -> Cell:  # noqa: C901  (it is a table)
    """The whole value."""
    match value:
        case None | "":
            return Cell(EMPTY, "empty")
        case bool():
            return Cell(_("Yes") if value else _("No"), "yes" if value else "no")
        case Enum():
            return Cell(str(value.value), "badge")
        case int() | Decimal():
            return Cell(str(value), "number", href)
        case datetime():
            return Cell(absolute(value), "time", None, iso(value))
        case bytes():
            return Cell(value.hex(), "code", href)
        case dict():
            return Cell(pretty_json(value), "json")
        case list():
            return Cell(", ".join(map(str, value)) or EMPTY)
        case _:
            return Cell(str(value), "text", href)


def short(cell: Cell) -> Cell:
    """Fit for one line of a list."""
    if len(cell.text) <= MAX_LIST_CHARACTERS:
        return cell
    return Cell(f"{cell.text[:MAX_LIST_CHARACTERS]}…", cell.kind, cell.href, cell.iso)
