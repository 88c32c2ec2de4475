"""What a dialect is: tables of names, and where words are found."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.models.spans import SpanKind, SpanStatus
from app.services.ingestion.dialects.door import NOTHING, admitted, clean_text, storable
from app.services.ingestion.dialects.values import MAX_NAME
from app.services.ingestion.wire import WireEvent, WireSpan

Path = tuple[str, ...]
MAX_INDEX_DIGITS = 9


class Seen:
    """A span's attributes past the door: as they are kept, and as the JSON they hold."""

    __slots__ = ("attributes", "events", "families", "kind", "span", "trees")

    def __init__(self, span: WireSpan) -> None:
        self.span = span
        self.kind = SpanKind.OTHER
        self.attributes: dict[str, Any] = {}  # values as in wire.py, cleaned
        self.trees: dict[str, Any] = {}  # JSON objects and lists that texts hold
        self.families: dict[str, list[tuple[Path, Any]]] = {}
        self.events: list[tuple[WireEvent, Seen]] = []

    def admit(self, name: str, given: Any) -> Any:  # any attribute value
        """The value as it may be kept; the JSON in it is remembered."""
        if type(given) is not str:
            return storable(given)
        text, tree = admitted(given)
        if tree is not NOTHING:
            self.trees[name] = tree
        return text

    def value(self, name: str) -> Any:  # any JSON value
        tree = self.trees.get(name)
        return self.attributes.get(name) if tree is None else tree

    def tree(self, family: str) -> dict[str, Any]:
        """Attributes like ``family`` + ``0.role`` as nested objects; texts as they were sent."""
        root: dict[str, Any] = {}
        for path, value in self.families.get(family, ()):
            node = root
            for step in path[:-1]:
                inner = node.get(step)
                if type(inner) is not dict:
                    inner = node[step] = {}
                node = inner
            node.setdefault(path[-1], value)
        return root

    @property
    def span_name(self) -> str:
        return clean_text(self.span.name[:MAX_NAME])

    @property
    def failed(self) -> bool:
        return self.span.status is SpanStatus.ERROR


def listed(node: Any) -> list[Any]:  # a tree with numbers as names
    """The items by number, however large the numbers are; what is no number is left out."""
    if type(node) is not dict:
        return []
    numbers = [key for key in node if key.isascii() and key.isdigit()]
    short = [key for key in numbers if len(key) <= MAX_INDEX_DIGITS]
    return [node[key] for key in sorted(short, key=int)]


Source = str | Callable[[Seen], Any]  # the name of an attribute, or how to find a JSON value
Derive = Callable[[Seen], Mapping[str, Any]]


def nothing_more(_: Seen) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way to write a step down. Where several are used, the first in the register wins.

    ``fields`` maps our facts (see ``fields.py``) to attribute names, best first; ``kinds`` an
    attribute to what its words mean. ``inputs`` and ``outputs`` are asked in order. ``derive``
    finds facts that no single attribute holds, for a span that has any attribute under
    ``prefixes``. ``families`` are prefixes of numbered names, as in ``gen_ai.prompt.0.role``.
    """

    name: str
    prefixes: tuple[str, ...]
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    kinds: Mapping[str, Mapping[str, SpanKind]] = field(default_factory=dict)
    inputs: tuple[Source, ...] = ()
    outputs: tuple[Source, ...] = ()
    families: tuple[str, ...] = ()
    derive: Derive = nothing_more
