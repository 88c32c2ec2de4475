"""Exact filters of a list: equality on indexed columns, chosen from a list or typed whole."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.core.texts import lazy
from app.exceptions import BadRequest

Choices = tuple[tuple[str, str], ...]
YES_NO: Choices = (("true", lazy("Yes")), ("false", lazy("No")))


def choices_of(enum: type[StrEnum]) -> Choices:
    return tuple((member.value, member.value) for member in enum)


@dataclass(frozen=True, slots=True)
class Filter:
    """One column compared with what the reader picked; without choices it is typed."""

    name: str
    label: str
    choices: Choices = ()

    def parse(self, text: str, kind: type[Any]) -> Any:  # as the column
        """Raise ``BadRequest`` for what cannot be a value of the column."""
        if self.choices and text not in dict(self.choices):
            raise BadRequest(lazy("%(label)s cannot be filtered by that.", label=self.label))
        if kind is bool:
            return text == "true"
        if kind is int:
            if not (text.isascii() and text.isdigit() and int(text[:20]) < 2**63):
                raise BadRequest(lazy("%(label)s must be a whole number.", label=self.label))
            return int(text)
        return text.replace("\x00", "")
