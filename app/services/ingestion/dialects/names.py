"""One table of all attribute names that any dialect knows, made once."""

from dataclasses import dataclass
from typing import Any

from app.services.ingestion.dialects.dialect import Dialect, Path
from app.services.ingestion.dialects.door import (
    MAX_KEY,
    MAX_REMEMBERED,
    Guard,
    clean_text,
    guard_of,
)
from app.services.ingestion.dialects.fields import READERS, Read
from app.services.ingestion.dialects.values import choice

MAX_STEPS = 12
Use = tuple[str, int, Read]  # the fact, its rank (lower wins), how it is read


@dataclass(frozen=True, slots=True)
class Name:
    """What the name of an attribute says."""

    text: str  # as it is kept
    guard: Guard
    uses: tuple[Use, ...]
    dialects: int  # a bit each
    family: str | None
    path: Path


class Names:
    """Names seen before are remembered: senders use the same few thousands of times a second."""

    def __init__(self, dialects: tuple[Dialect, ...]) -> None:
        self.dialects = dialects
        self.known: dict[str, Name] = {}
        self._uses: dict[str, list[Use]] = {}
        self._families = tuple(family for dialect in dialects for family in dialect.families)
        rank = 0
        for dialect in dialects:
            for fact, read, names in _readers(dialect):
                for name in names:
                    self._uses.setdefault(name, []).append((fact, rank, read))
                    rank += 1

    def learn(self, text: str) -> Name:
        text = str(text)
        name = self._name(text)
        if len(text) <= MAX_KEY:
            if len(self.known) >= MAX_REMEMBERED:
                self.known.clear()
            self.known[text] = name
        return name

    def _name(self, text: str) -> Name:
        family = next((f for f in self._families if text.startswith(f)), None)
        steps = text[len(family) :].split(".", MAX_STEPS) if family else ()
        return Name(
            text=clean_text(text),
            guard=guard_of(text),
            uses=tuple(self._uses.get(text, ())),
            dialects=self._dialects_of(text),
            family=family,
            path=tuple(steps),
        )

    def _dialects_of(self, text: str) -> int:
        return sum(
            1 << position
            for position, dialect in enumerate(self.dialects)
            if text.startswith(dialect.prefixes)
        )


def _readers(dialect: Dialect) -> list[tuple[str, Read, tuple[str, ...]]]:
    kinds: list[tuple[str, Any, tuple[str, ...]]] = [
        ("kind", choice(dict(words)), (name,)) for name, words in dialect.kinds.items()
    ]
    return kinds + [(fact, READERS[fact], names) for fact, names in dialect.fields.items()]
