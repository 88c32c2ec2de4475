"""A language made up for tests: every text that goes through a catalogue comes out accented.

What a page then shows without accents was never given to be translated. Texts grow by about 40 %,
as German or Finnish ones do.
"""

import re
from gettext import NullTranslations

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from app.core.texts import DOMAIN, LOCALE, Catalogue

TAG = "en-XA"
BEGIN, END = "⟦", "⟧"
# Placeholders, markup and entities stay as they are.
KEPT = re.compile(r"%\(\w+\)[\d.]*[a-z]|%%|<[^>]*>|&\w+;|\{\{?\w*\}?\}")
LONG_WORD = re.compile(r"·{1,12}")
ACCENTED = str.maketrans(
    "aceginosuyzACEGINOSUYZ",
    "áçéğíñóšúýžÁÇÉĞÍÑÓŠÚÝŽ",
)


def accented(text: str) -> str:
    """``Save`` as ``⟦Šávé··⟧``; the brackets tell it from values and from what others wrote."""
    parts = KEPT.split(text)
    kept = [*KEPT.findall(text), ""]
    shown = "".join(part.translate(ACCENTED) + k for part, k in zip(parts, kept, strict=True))
    more = "·" * round(sum(len(part) for part in parts) * 0.4)
    # Not without a place to break: words of no language are that long.
    return f"{BEGIN}{shown}{' '.join(LONG_WORD.findall(more))}{END}"


class Pseudo(NullTranslations):
    """Knows what the template of all catalogues has, and nothing else."""

    def __init__(self, known: frozenset[str]) -> None:
        super().__init__()
        self.known = known

    def gettext(self, message: str) -> str:
        return accented(message) if message in self.known else message

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)


def messages() -> Catalog:
    """``locale/greenroom.pot`` as it is stored."""
    with (LOCALE / f"{DOMAIN}.pot").open("rb") as file:
        return read_po(file)


def pseudo() -> Catalogue:
    known = {form for message in messages() for form in forms_of(message.id)}
    return Catalogue(TAG, "Pseudo", "ltr", Pseudo(frozenset(known)))


def forms_of(message: str | tuple[str, ...] | list[str]) -> list[str]:
    return [message] if isinstance(message, str) else list(message)
