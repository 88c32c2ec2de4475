"""A language made up for tests: every text that goes through a catalogue comes out accented.

What a page then shows without accents was never given to be translated. Texts grow by about 40 %,
as German or Finnish ones do.
"""

import re
from gettext import NullTranslations

from app.core.texts import Catalogue

TAG = "en-XA"
# Placeholders, markup and entities stay as they are.
KEPT = re.compile(r"%\(\w+\)s|%%|<[^>]*>|&\w+;|\{\{?\w*\}?\}")
ACCENTED = str.maketrans(
    "aceginosuyzACEGINOSUYZ",
    "áçéğíñóšúýžÁÇÉĞÍÑÓŠÚÝŽ",
)


def accented(text: str) -> str:
    parts = KEPT.split(text)
    kept = [*KEPT.findall(text), ""]
    shown = "".join(part.translate(ACCENTED) + k for part, k in zip(parts, kept, strict=True))
    words = sum(len(part) for part in parts)
    return f"{shown}{'·' * round(words * 0.4)}"


class Pseudo(NullTranslations):
    def gettext(self, message: str) -> str:
        return accented(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return accented(msgid1 if n == 1 else msgid2)


PSEUDO = Catalogue(TAG, "Pseudo", "ltr", Pseudo())
