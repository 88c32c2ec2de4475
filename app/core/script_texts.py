"""What scripts say: found in ``static/js``, and given to the pages of each language but English."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from babel.messages.extract import extract

from app.core.config import PROJECT_ROOT
from app.core.texts import ENGLISH, Catalogue, spoken

SCRIPTS = PROJECT_ROOT / "static" / "js"
KEYWORDS = {"_": None, "ngettext": (1, 2)}
# Which form a language takes depends on the last two digits, and on small numbers themselves.
COUNTS = range(200)
Texts: TypeAlias = dict[str, str | list[str]]


def messages_in(file: Path) -> Iterator[str | tuple[str, ...]]:
    with file.open("rb") as stream:
        for _line, message, _comments, _context in extract("javascript", stream, KEYWORDS):
            yield message


@lru_cache(maxsize=1)
def messages() -> frozenset[str | tuple[str, ...]]:
    """Read once; counted ones have two forms."""
    return frozenset(message for file in SCRIPTS.glob("*.js") for message in messages_in(file))


def form_of(language: Catalogue, count: int) -> int:
    """The number of the plural form; languages made up for tests have English's."""
    plural = getattr(language.translations, "plural", lambda number: int(number != 1))
    return int(plural(count))


@lru_cache
def texts_in(language: Catalogue) -> dict[str, str | Texts]:
    """For ``static/js/texts.js``: texts by their English, and the plural form of each count."""
    said = language.translations
    examples = {form_of(language, count): count for count in COUNTS}
    texts: Texts = {}
    for message in messages():
        match message:
            case (one, many):
                texts[one] = [said.ngettext(one, many, examples[form]) for form in sorted(examples)]
            case str():
                texts[message] = said.gettext(message)
    return {"texts": texts, "plurals": "".join(str(form_of(language, count)) for count in COUNTS)}


def script_texts() -> dict[str, str | Texts] | None:
    """In the language of the request; English stands in the scripts themselves."""
    return None if spoken().tag == ENGLISH else texts_in(spoken())
