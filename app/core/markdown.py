"""Markdown of ours as HTML: no raw HTML, known kinds of links only, nothing inline in style."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

SCHEMES = frozenset({"", "http", "https", "mailto"})
NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")
BREAKS = ("softbreak", "hardbreak")
Leads = Callable[[str], str | None]
Tokens = Sequence[Token]


@dataclass(slots=True)
class Place:
    """Where a text is shown: each gives the address that something leads to there, if any."""

    link: Leads
    image: Leads
    code: Leads


@dataclass(slots=True)
class Section:
    """A heading, and what stands below it as text."""

    title: str
    anchor: str
    level: int
    text: str = ""


def is_known_link(url: str) -> bool:
    return urlsplit(url).scheme.lower() in SCHEMES


def anchor_of(title: str, taken: set[str]) -> str:
    """As code hosts make them: ``A summary, by a model`` is ``a-summary-by-a-model``."""
    slug = NOT_IN_ANCHORS.sub("", title.strip().lower()).replace(" ", "-")
    anchor, count = slug, 0
    while anchor in taken:
        count += 1
        anchor = f"{slug}-{count}"
    taken.add(anchor)
    return anchor


def plain_text(inline: Token) -> str:
    """What it says, without marks."""
    return "".join(
        " " if child.type in BREAKS else child.content for child in inline.children or ()
    )


class Writer(RendererHTML):
    """HTML in the words of our style sheet. Each method is of a kind of token."""

    def fence(self, tokens: Tokens, idx: int, options: Any, env: Any) -> str:
        text = tokens[idx].content.rstrip("\n")
        code = f'<pre tabindex="0"><code>{escapeHtml(text)}</code></pre>'
        return f'<div class="copy-block">{env["copy_button"](text)}{code}</div>\n'

    def code_block(self, tokens: Tokens, idx: int, options: Any, env: Any) -> str:
        return self.fence(tokens, idx, options, env)

    def code_inline(self, tokens: Tokens, idx: int, options: Any, env: Any) -> str:
        code = super().code_inline(tokens, idx, options, env)
        href = env["place"].code(tokens[idx].content)
        return f'<a href="{escapeHtml(href)}">{code}</a>' if href else code

    def heading_close(self, tokens: Tokens, idx: int, options: Any, env: Any) -> str:
        anchor = tokens[idx - 2].attrGet("id")
        link = f'<a class="anchor" href="#{anchor}" aria-label="Link to this section">#</a>'
        return (link if tokens[idx].tag != "h1" else "") + f"</{tokens[idx].tag}>\n"

    def table_open(self, tokens: Tokens, idx: int, options: Any, env: Any) -> str:
        return '<div class="table-wrap" tabindex="0"><table class="rows">\n'

    def table_close(self, tokens: Tokens, idx: int, options: Any, env: Any) -> str:
        return "</table></div>\n"


def parser() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False}, renderer_cls=Writer).enable("table")
    # By itself it refuses what is known to be harmful; here only what is known to be fine passes.
    refused = markdown.validateLink
    markdown.validateLink = lambda url: refused(url) and is_known_link(url)  # type: ignore[method-assign]  # its own way
    return markdown


def name_sections(tokens: Tokens) -> list[Section]:
    """Give each heading its anchor; the sections with their texts."""
    found: list[Section] = []
    taken: set[str] = set()
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            title = plain_text(tokens[place + 1])
            found.append(Section(title, anchor_of(title, taken), int(token.tag[1])))
            token.attrSet("id", found[-1].anchor)
        elif found and token.type in ("inline", "fence"):
            is_title = tokens[place - 1].type == "heading_open"
            text = "" if is_title else plain_text(token) if token.children else token.content
            found[-1].text = f"{found[-1].text} {text}".strip()
    return found


def lead(tokens: Tokens, place: Place) -> None:
    """Point links and pictures to where they lead here; what leads nowhere is plain text."""
    for token in tokens:
        if token.attrs.pop("style", None) == "text-align:right":
            token.attrSet("class", "num")  # a policy forbids styles in the page
        children = token.children or []
        ends: list[bool] = []  # of the links that are open: whether they lead somewhere
        for child in children:
            if child.type == "image":
                child.attrSet("src", place.image(str(child.attrGet("src"))) or "")
                child.attrSet("loading", "lazy")
            elif child.type == "link_open":
                href = place.link(str(child.attrGet("href")))
                ends.append(href is not None)
                child.attrSet("href", href or "")
                child.hidden = href is None
            elif child.type == "link_close":
                child.hidden = not ends.pop()
        token.children = [c for c in children if not (c.hidden and c.type.startswith("link_"))]


def convert(text: str, place: Place, templates: Environment) -> tuple[str, list[Section]]:
    """HTML to be shown at ``place``, and the sections in it."""
    markdown = parser()
    tokens = markdown.parse(text)
    sections = name_sections(tokens)
    lead(tokens, place)
    macros: Any = templates.get_template("components/code.html").module
    env = {"place": place, "copy_button": macros.copy_button}
    return markdown.renderer.render(tokens, markdown.options, env), sections
