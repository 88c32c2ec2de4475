"""Prices that were entered here: which of them means which call."""

from dataclasses import dataclass
from datetime import date

from app.services.pricing.rules import PriceRule

ANY = "*"


@dataclass(frozen=True, slots=True)
class Override:
    """A price of models by name: ``pattern`` may hold ``*``; ``provider`` ``None`` is any."""

    pattern: str
    provider: str | None
    rule: PriceRule

    @property
    def precedence(self) -> tuple[bool, bool, int, date, int]:
        """The more it says, the sooner it is asked; then the newer one."""
        return (
            self.provider is not None,
            ANY not in self.pattern,
            len(self.pattern.replace(ANY, "")),
            self.rule.since or date.min,
            self.rule.override_id or 0,
        )

    def means(self, model: str, providers: frozenset[str]) -> bool:
        by_provider = self.provider is None or self.provider.lower() in providers
        return by_provider and matches(self.pattern.lower(), model.lower())


def matches(pattern: str, name: str) -> bool:
    """``*`` stands for any characters, also none. Takes time in proportion to both."""
    first, *others = pattern.split(ANY)
    if not others:
        return name == first
    *middle, last = others
    if not name.startswith(first):
        return False
    place = len(first)
    for part in middle:
        found = name.find(part, place)
        if found < 0:
            return False
        place = found + len(part)
    return len(name) - place >= len(last) and name.endswith(last)
