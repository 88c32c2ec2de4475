"""The manual: ``docs/*.md`` as pages with a contents list, and the words to find them by.

The same files are read on a code host. Two things differ here: links between pages lead to
``/help``, and the address of a page of ours in code, such as ``/agents``, leads there.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from app.core.config import PROJECT_ROOT
from app.core.markdown import Place, Section, convert
from app.core.templating import Templates

DOCS = PROJECT_ROOT / "docs"
PICTURES = DOCS / "img"
HOME = "index"
# What there is, in reading order. Decisions (``docs/adr``) are for who works on the source.
CONTENTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Start here", ("index", "around", "keyboard", "demo")),
    ("Every day", ("dashboard", "agents", "tools", "executions", "analysis", "jobs", "costs")),
    ("People and access", ("users-and-keys", "audit", "personal-data", "webhooks", "security")),
    ("Connect agents", ("opentelemetry", "api", "importing", "running", "dialects")),
    (
        "Run it",
        (
            "deployment",
            "configuration",
            "settings",
            "operations",
            "observability",
            "backup",
            "retention",
            "scaling",
        ),
    ),
    ("Inside", ("data-admin", "architecture")),
)
STEMS = tuple(stem for _, stems in CONTENTS for stem in stems)
# Pages of ours that a text may name in code.
PAGES = frozenset(
    {
        "/",
        "/account",
        "/admin/",
        "/agents",
        "/agents/new",
        "/audit",
        "/connect",
        "/executions",
        "/help",
        "/ingest",
        "/jobs",
        "/keys",
        "/keys/new",
        "/model-prices",
        "/operations",
        "/retention",
        "/search",
        "/settings",
        "/tools",
        "/tools/new",
        "/trash",
        "/users",
        "/users/invite",
        "/webhooks",
        "/webhooks/new",
    }
)
WORD = re.compile(r"\w+")
AROUND_A_HIT = 90
MOST_HITS = 30


@dataclass(frozen=True, slots=True)
class ManualPage:
    """``sections`` begins with the page's own title."""

    stem: str
    html: str
    sections: tuple[Section, ...]

    @property
    def title(self) -> str:
        return self.sections[0].title

    @property
    def href(self) -> str:
        return href_of(self.stem)

    @property
    def contents(self) -> list[Section]:
        return [section for section in self.sections if section.level == 2]


@dataclass(frozen=True, slots=True)
class Hit:
    """A section that has every word looked for, and its text around the first of them."""

    page: ManualPage
    section: Section
    before: str
    match: str
    after: str

    @property
    def href(self) -> str:
        is_whole = self.section.level == 1
        return self.page.href + ("" if is_whole else f"#{self.section.anchor}")


@dataclass(frozen=True, slots=True)
class Manual:
    """Every page by its stem, in reading order."""

    pages: dict[str, ManualPage]

    @property
    def groups(self) -> list[tuple[str, list[ManualPage]]]:
        return [(title, [self.pages[stem] for stem in stems]) for title, stems in CONTENTS]

    def beside(self, page: ManualPage) -> tuple[ManualPage | None, ManualPage | None]:
        """The page before and the one after."""
        place = STEMS.index(page.stem)
        around = (STEMS[place - 1] if place else None, *STEMS[place + 1 : place + 2], None)[:2]
        before, after = (self.pages[stem] if stem else None for stem in around)
        return before, after

    def find(self, text: str) -> list[Hit]:
        """Sections with all of these words, or words that begin so; titles first."""
        words = WORD.findall(text.lower())
        if not words:
            return []
        patterns = [re.compile(rf"\b{re.escape(word)}", re.IGNORECASE) for word in words]
        ranked = sorted(self._hits(patterns), key=lambda found: -found[0])
        return [hit for _, hit in ranked[:MOST_HITS]]

    def _hits(self, patterns: list[re.Pattern[str]]) -> Iterator[tuple[int, Hit]]:
        for page in self.pages.values():
            for section in page.sections:
                titles = f"{page.title} {section.title}"
                if all(p.search(titles) or p.search(section.text) for p in patterns):
                    in_title = sum(bool(p.search(section.title)) for p in patterns)
                    yield in_title * 2 + (section.level == 1), hit_in(page, section, patterns)


def hit_in(page: ManualPage, section: Section, patterns: list[re.Pattern[str]]) -> Hit:
    text = section.text
    found = next(filter(None, (pattern.search(text) for pattern in patterns)), None)
    if found is None:
        return Hit(page, section, shorten(text, AROUND_A_HIT * 2), "", "")
    end = WORD.match(text, found.start())
    start, stop = found.start(), end.end() if end else found.end()
    before = text[max(0, start - AROUND_A_HIT) : start]
    if start > AROUND_A_HIT:
        before = f"… {before.partition(' ')[2]}"
    return Hit(page, section, before, text[start:stop], shorten(text[stop:], AROUND_A_HIT))


def shorten(text: str, length: int) -> str:
    """At most so many characters, cut between words."""
    return text if len(text) <= length else f"{text[:length].rpartition(' ')[0]} …"


def href_of(stem: str) -> str:
    return "/help" if stem == HOME else f"/help/{stem}"


def link_here(href: str) -> str | None:
    """Where a link of a page leads under ``/help``; ``None`` for files that are not served."""
    parts = urlsplit(href)
    if parts.scheme or not parts.path:
        return href
    stem = parts.path.removesuffix(".md")
    if stem not in STEMS or stem == parts.path:
        return None
    return href_of(stem) + (f"#{parts.fragment}" if parts.fragment else "")


def picture_here(src: str) -> str | None:
    name = src.removeprefix("img/")
    return f"/help/img/{name}" if name in pictures() else None


def page_here(code: str) -> str | None:
    return code if code in PAGES else None


@lru_cache(maxsize=1)
def pictures() -> dict[str, Path]:
    """The pictures of the manual by name; no other file is served."""
    return {path.name: path for path in PICTURES.iterdir() if path.suffix in (".png", ".webp")}


@lru_cache(maxsize=1)
def read_manual() -> Manual:
    """Read once: the manual is of this version, as the code is."""
    environment, place = Templates().environment, Place(link_here, picture_here, page_here)
    pages = {}
    for stem in STEMS:
        html, sections = convert((DOCS / f"{stem}.md").read_text(), place, environment)
        pages[stem] = ManualPage(stem, html, tuple(sections))
    return Manual(pages)
