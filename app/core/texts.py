"""Texts in the language of whoever reads them: English in the code, others in ``locale/``.

``_`` and ``ngettext`` translate at once, for the request at hand; what ``lazy`` makes is translated
where it is shown. Every text is a format string, also one without values, so a
percent sign is written twice. Outside of pages (the API, jobs, what is stored) all is English.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Any

from babel import Locale, UnknownLocaleError

from app.core.config import PROJECT_ROOT

LOCALE = PROJECT_ROOT / "locale"
DOMAIN = "greenroom"
ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One language: its tag (RFC 5646), its name in itself, and which way it is written."""

    tag: str
    name: str
    direction: str
    translations: NullTranslations


def catalogue(tag: str, translations: NullTranslations) -> Catalogue:
    try:
        locale = Locale.parse(tag, sep="-")
    except (ValueError, UnknownLocaleError):
        return Catalogue(tag, tag, "ltr", translations)
    return Catalogue(tag, locale.display_name or tag, locale.text_direction, translations)


def read_catalogues(folder: Path = LOCALE) -> dict[str, Catalogue]:
    """English, and each ``<language>/LC_MESSAGES/greenroom.mo``."""
    found = {ENGLISH: catalogue(ENGLISH, NullTranslations())}
    for file in sorted(folder.glob(f"*/LC_MESSAGES/{DOMAIN}.mo")):
        tag = file.parts[-3].replace("_", "-")
        with file.open("rb") as stream:
            found[tag] = catalogue(tag, GNUTranslations(stream))
    return found


@lru_cache(maxsize=1)
def catalogues() -> dict[str, Catalogue]:
    """The installed languages, read once."""
    return read_catalogues()


_spoken: ContextVar[str] = ContextVar("spoken_language", default=ENGLISH)


def speak(tag: str) -> None:
    """From here on, this request is answered in this language; English where it is unknown."""
    _spoken.set(tag if tag in catalogues() else ENGLISH)


@contextmanager
def speaking(tag: str) -> Iterator[None]:
    """In this language meanwhile: what is stored is English, whoever has it stored."""
    before = _spoken.set(tag)
    try:
        yield
    finally:
        _spoken.reset(before)


def speak_to(chosen: str | None) -> None:
    """As ``speak``; without a choice, or with one that is no longer installed, all stays."""
    if chosen in catalogues():
        speak(chosen)


def spoken() -> Catalogue:
    return catalogues().get(_spoken.get()) or catalogues()[ENGLISH]


def _wishes(accepted: str) -> list[str]:
    """The languages of an ``Accept-Language`` header (RFC 9110, 12.5.4), most wanted first."""
    weighed: list[tuple[float, str]] = []
    for part in accepted[:500].split(","):
        tag, _, parameter = part.partition(";")
        name, _, written = parameter.strip().partition("=")
        try:
            weight = float(written) if name == "q" else 1.0
        except ValueError:
            continue
        if weight > 0:
            weighed.append((weight, tag.strip().lower()))
    return [tag for _, tag in sorted(weighed, key=lambda wish: -wish[0])]


def best_language(accepted: str) -> str:
    """Of the installed ones, the first that is asked for, else English; ``de`` serves ``de-AT``."""
    known = {tag.lower(): tag for tag in catalogues()}
    for wish in _wishes(accepted):
        for tag in (wish, wish.partition("-")[0]):
            if tag in known:
                return known[tag]
    return ENGLISH


def translated(message: str) -> str:
    """The text as the catalogue has it, placeholders still in it."""
    return spoken().translations.gettext(message)


def translated_count(one: str, many: str, count: int) -> str:
    return spoken().translations.ngettext(one, many, count)


def _(message: str, /, **values: Any) -> str:  # anything that a format string shows
    return translated(message) % values


def ngettext(one: str, many: str, num: int, /, **values: Any) -> str:  # as above
    """``%(num)s`` is the count, with its thousands set apart."""
    return translated_count(one, many, num) % {"num": f"{num:,}", **values}


class Lazy(str):
    """A text that is shown translated, and is English wherever it is compared, stored or sent."""

    message: str
    values: Mapping[str, Any]  # as of ``_``

    def __str__(self) -> str:
        return _(self.message, **self.values)

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def format(self, *values: object, **named: object) -> str:
        return str(self).format(*values, **named)

    def lower(self) -> str:
        return str(self).lower()

    def capitalize(self) -> str:
        return str(self).capitalize()


class LazyCount(Lazy):
    """As ``Lazy``, of something counted."""

    forms: tuple[str, str]
    num: int

    def __str__(self) -> str:
        return ngettext(*self.forms, self.num, **self.values)


def lazy(message: str, /, **values: Any) -> str:  # as of ``_``
    """For what is made before it is known who reads it: constants of modules, errors of services.

    ``json``, ``+`` and the database read it in English; templates, ``str`` and f-strings in the
    language of the request.
    """
    english = {name: in_english(value) for name, value in values.items()}
    text = Lazy(message % english)
    text.message, text.values = message, values
    return text


def mark(message: str) -> str:
    """The text itself, for translators to find; ``_`` or ``lazy`` takes it where it is used."""
    return message


def lazy_count(one: str, many: str, num: int, /, **values: Any) -> str:  # as of ``_``
    """As ``ngettext``, for errors of services; languages with more forms have them here too."""
    message = one if num == 1 else many
    text = LazyCount(message % {"num": f"{num:,}", **values})
    text.forms, text.num, text.values = (one, many), num, values
    return text


def in_english(value: Any) -> Any:  # whatever it is, unless it is a text of ours
    return str.__str__(value) if isinstance(value, Lazy) else value
