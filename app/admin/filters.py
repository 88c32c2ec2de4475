"""Exact filters of a list: equality on indexed columns, chosen from a list or typed whole."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.exceptions import BadRequest

Choices = tuple[tuple[str, str], ...]
YES_NO: Choices = (("true", "Yes"), ("false", "No"))


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
            raise BadRequest(f"{self.label} cannot be filtered by that.")
        if kind is bool:
            return text == "true"
        if kind is int:
            if not (text.isascii() and text.isdigit() and int(text[:20]) < 2**63):
                raise BadRequest(f"{self.label} must be a whole number.")
            return int(text)
        return text.replace("\x00", "")
