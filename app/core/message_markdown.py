"""What a model wrote in Markdown as HTML. It is nobody's own text: nothing of it is trusted.

No HTML of its own, no pictures, links only to other sites and mail; invisible characters are named
as in any other text.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup

# Longer texts are shown as they are: they take long to read into, and are folded anyway.
MAX_CHARACTERS = 10_000
# A row of a table gets all the cells that its head has, however short it is itself.
MAX_CELLS = 5_000
SCHEMES = frozenset({"http", "https"})
MARKS = re.compile(
    r"\*\*\S|__\S|`|\]\(|^\s{0,3}(?:#{1,6}\s|[-*+]\s|\d{1,9}[.)]\s|>|~~~|\|.*\|)", re.MULTILINE
)
Tokens = Sequence[Token]
Shown = Callable[[str], Markup]  # text as HTML


class MessageWriter(RendererHTML):
    """HTML that keeps its place: headings are paragraphs, and code is never coloured."""

    def text(self, tokens: Tokens, idx: int, options: Any, env: Any) -> str:
        return str(env["shown"](tokens[idx].content))

    def code_inline(self, tokens: Tokens, idx: int, options: Any, env: Any) -> str:
        return f"<code>{env['shown'](tokens[idx].content)}</code>"

    def fence(self, tokens: Tokens, idx: int, options: Any, env: Any) -> str:
        code = env["shown"](tokens[idx].content.rstrip("\n"))
        return f'<pre tabindex="0"><code>{code}</code></pre>\n'

    def code_block(self, tokens: Tokens, idx: int, options: Any, env: Any) -> str:
        return self.fence(tokens, idx, options, env)

    def image(self, tokens: Tokens, idx: int, options: Any, env: Any) -> str:
        said = env["shown"](f"{tokens[idx].content} {tokens[idx].attrGet('src')}".strip())
        return f'<span class="muted">[{said}]</span>'

    def heading_open(self, tokens: Tokens, idx: int, options: Any, env: Any) -> str:
        return '<p class="heading">'

    def heading_close(self, tokens: Tokens, idx: int, options: Any, env: Any) -> str:
        return "</p>\n"

    def link_open(self, tokens: Tokens, idx: int, options: Any, env: Any) -> str:
        href = str(tokens[idx].attrGet("href"))
        env["links"].append(leads_out(href))
        where = escapeHtml(href)
        rel = 'rel="noopener noreferrer nofollow" target="_blank"'
        return f'<a href="{where}" title="{where}" {rel}>' if env["links"][-1] else ""

    def link_close(self, tokens: Tokens, idx: int, options: Any, env: Any) -> str:
        return "</a>" if env["links"].pop() else ""

    def table_open(self, tokens: Tokens, idx: int, options: Any, env: Any) -> str:
        return '<div class="table-wrap" tabindex="0"><table class="rows">\n'

    def table_close(self, tokens: Tokens, idx: int, options: Any, env: Any) -> str:
        return "</table></div>\n"

    def th_open(self, tokens: Tokens, idx: int, options: Any, env: Any) -> str:
        return "<th>"

    def td_open(self, tokens: Tokens, idx: int, options: Any, env: Any) -> str:
        return "<td>"


def leads_out(href: str) -> bool:
    """Not to a page of ours, which a model could name to have it clicked.

    A browser reads ``http:logout`` as a place on the site that it is at: a link names a host.
    """
    try:
        parts = urlsplit(href)
    except ValueError:
        return False
    return parts.scheme == "mailto" or (parts.scheme in SCHEMES and parts.hostname is not None)


PARSER = MarkdownIt(
    "commonmark", {"html": False, "breaks": True}, renderer_cls=MessageWriter
).enable("table")


def has_marks(text: str) -> bool:
    """Whether it is worth while to read a text as Markdown."""
    if len(text) > MAX_CHARACTERS or MARKS.search(text) is None:
        return False
    lines = text.splitlines()
    return len(lines) * max(line.count("|") for line in lines) <= MAX_CELLS


@lru_cache(maxsize=256)
def message_html(text: str, shown: Shown) -> Markup | None:
    """``None`` for a text that is better read as it is."""
    if not has_marks(text):
        return None
    tokens = PARSER.parse(text)
    env = {"shown": shown, "links": []}
    html = PARSER.renderer.render(tokens, PARSER.options, env)
    return Markup(html)  # noqa: S704  (made by the writer above alone)
