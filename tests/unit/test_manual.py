"""The manual is whole, its links lead somewhere, and nothing raw gets through."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from selectolax.lexbor import LexborHTMLParser, LexborNode

from app.api.help_topics import TOPICS, help_href, topic_of
from app.core.config import PROJECT_ROOT
from app.core.manual import DOCS, PAGES, STEMS, Manual, read_manual
from app.core.markdown import Place, anchor_of, convert
from app.core.templating import Templates
from app.main import create_app
from tests.conftest import settings_for
from tests.integration.doors import doors_of
from tests.pages import BEFORE_LOGIN, page_paths

LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def one(tree: LexborHTMLParser, selector: str) -> LexborNode:
    found = tree.css_first(selector)
    assert found is not None, selector
    return found


@pytest.fixture(scope="module")
def manual() -> Manual:
    return read_manual()


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return create_app(settings_for("postgresql+asyncpg://"))


def links_of(path: Path) -> Iterator[str]:
    text = FENCE.sub("", path.read_text())
    yield from (link for link in LINK.findall(text) if not link.startswith(("http", "mailto")))


def anchors_of(path: Path) -> set[str]:
    taken: set[str] = set()
    for line in FENCE.sub("", path.read_text()).splitlines():
        if re.match(r"#{1,6} ", line):
            anchor_of(line.lstrip("#").replace("`", ""), taken)
    return taken


def test_every_page_of_the_folder_is_in_the_contents() -> None:
    assert sorted(path.stem for path in DOCS.glob("*.md")) == sorted(STEMS)


def test_every_link_and_anchor_leads_somewhere_on_a_code_host() -> None:
    lost = []
    for path in (*DOCS.glob("*.md"), PROJECT_ROOT / "README.md"):
        for link in links_of(path):
            name, _, anchor = link.partition("#")
            target = (path.parent / name).resolve() if name else path
            if not target.exists() or (anchor and anchor not in anchors_of(target)):
                lost.append(f"{path.name}: {link}")
    assert not lost


def test_every_link_anchor_and_picture_leads_somewhere_under_help(manual: Manual) -> None:
    places = {
        page.href: {section.anchor for section in page.sections} for page in manual.pages.values()
    }
    lost = []
    for page in manual.pages.values():
        tree = LexborHTMLParser(page.html)
        for link in tree.css("a"):
            href = link.attributes["href"] or ""
            path, _, anchor = (page.href + href if href[:1] == "#" else href).partition("#")
            known = path in PAGES or path.startswith("http") or path in places
            if not known or (anchor and anchor not in places.get(path, {anchor})):
                lost.append(f"{page.stem}: {href}")
        lost += [page.stem for image in tree.css("img") if not image.attributes["src"]]
    assert not lost


def test_pages_that_a_text_names_exist(app: FastAPI) -> None:
    mounted = {door.path for door in doors_of(app)} | {"/admin/"}
    assert not PAGES - mounted


def test_every_page_of_the_product_has_a_section_of_the_manual(
    app: FastAPI, manual: Manual
) -> None:
    paths = [path for path in page_paths(app) if not BEFORE_LOGIN.match(path)]
    assert len(paths) > 40
    assert not [path for path in paths if topic_of(path) is None]
    for topic in TOPICS.values():
        stem, _, anchor = topic.partition("#")
        anchors = {section.anchor for section in manual.pages[stem].sections}
        assert not anchor or anchor in anchors, topic


@pytest.mark.parametrize(
    ("path", "href"),
    [
        ("/", "/help/dashboard"),
        ("/agents/7", "/help/agents"),
        ("/agents/7/pause", "/help/agents#pause-an-agent"),
        ("/admin/tools/edit/3", "/help/data-admin"),
        ("/help/costs", "/help"),
        ("/nowhere", "/help"),
    ],
)
def test_address_leads_to_its_section(path: str, href: str) -> None:
    assert help_href(path) == href


def test_words_are_found_by_their_beginning_and_titles_come_first(manual: Manual) -> None:
    found = manual.find("pause agent")
    assert found[0].href == "/help/agents#pause-an-agent"
    assert not manual.find("pause zebra")
    assert not manual.find("  …  ")


def test_nothing_raw_and_no_unknown_kind_of_link_gets_through() -> None:
    place = Place(lambda href: href, lambda src: src, lambda _: None)
    text = (
        "# <b>x</b>\n\n<script>alert(1)</script> [a](javascript:alert(1)) "
        '[b](data:text/html,x) [c](ftp://x) ![d](file:///x) [e](/x"onload=y)\n\n'
        "|a|b|\n|-|-:|\n|1|2|\n"
    )
    html, _ = convert(text, place, Templates().environment)
    tree = LexborHTMLParser(html)
    assert not tree.css("script, b, img, [style], [onload]")
    assert [link.attributes["href"] for link in tree.css("p a")] == ["/x%22onload=y"]
    assert one(tree, "td.num").text() == "2"
