"""What differs between two texts, word by word."""

import re
from dataclasses import dataclass

from app.services.alignment import aligned

WORD = re.compile(r"\w+|\s+|[^\w\s]")
MAX_CHARACTERS, MAX_WORDS = 40_000, 8_000
LONG, KEPT = 320, 120  # characters: equal text is cut to its ends


@dataclass(frozen=True, slots=True)
class Piece:
    """``kind`` is ``same``, ``del``, ``ins``, or ``gap`` for equal text that is left out."""

    kind: str
    text: str


def word_diff(old: str, new: str, *, fold: bool = True) -> list[Piece]:
    """Of the first words of each, where the texts are very long; empty where they are equal."""
    if old == new:
        return []
    left, right = words_in(old), words_in(new)
    pieces: list[Piece] = []
    for i, j in aligned(left, right):
        if i is not None:
            kind, word = ("same" if j is not None else "del"), left[i]
        else:
            kind, word = "ins", right[j or 0]
        if pieces and pieces[-1].kind == kind:
            pieces[-1] = Piece(kind, pieces[-1].text + word)
        else:
            pieces.append(Piece(kind, word))
    return [part for piece in pieces for part in folded(piece)] if fold else pieces


class Differ:
    """The differences on one page: as many as are quick together, of the first texts.

    Everybody waits for them, so a page may cost as much as the largest single one does.
    """

    def __init__(self) -> None:
        self._left = MAX_WORDS**2

    def diff(self, old: str, new: str) -> list[Piece]:
        """Unfolded; empty where the texts are equal, or are to be read without."""
        if self._left <= 0 or is_cut(old, new):
            return []
        self._left -= len(words_in(old)) * len(words_in(new))
        return word_diff(old, new, fold=False) if self._left >= 0 else []


def words_in(text: str) -> list[str]:
    return WORD.findall(text[:MAX_CHARACTERS])[:MAX_WORDS]


def folded(piece: Piece) -> list[Piece]:
    if piece.kind != "same" or len(piece.text) <= LONG:
        return [piece]
    out = f"{len(piece.text) - 2 * KEPT:,} equal characters"
    return [Piece("same", piece.text[:KEPT]), Piece("gap", out), Piece("same", piece.text[-KEPT:])]


def is_cut(*texts: str) -> bool:
    """Whether only the beginning of one of them is compared."""
    return any(len(text) > MAX_CHARACTERS or len(words_in(text)) >= MAX_WORDS for text in texts)
