"""A made-up language in the browser: what scripts say is translated, and long texts find room."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from app.core.embedded_postgres import EmbeddedPostgres
from tests.browser.conftest import STAFF, Site, watch
from tests.pseudo import BEGIN, TAG, accented
from tests.pseudo_server import PseudoServer

# Pages with much on them; the gallery shows the others: --language en-XA.
PAGES = (
    "/?range=all",
    "/agents",
    "/agents/{agent_id}",
    "/agents/{agent_id}/playground",
    "/executions",
    "/executions/{run_id}",
    "/account",
    "/operations",
    "/admin/executions/list",
)
# Buttons, tabs and badges whose text is wider than they are.
CUT = """() => [...document.querySelectorAll("main :is(button, a.b, .st, .tag), .tabs a, .side a")]
    .filter((each) => each.offsetParent && getComputedStyle(each).display !== "inline")
    .filter((each) => !each.classList.contains("visually-hidden"))
    .filter((each) => each.scrollWidth > each.clientWidth + 1)
    .map((each) => each.textContent.trim().slice(0, 60))"""


@pytest.fixture(scope="module")
def address(
    site: Site, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The same installation, by a server that knows the language."""
    assert site.run_id
    with PseudoServer(postgres.url("browser"), tmp_path_factory.mktemp("pseudo")) as server:
        yield server.url


@pytest.fixture
def spoken(browser: Browser, address: str, signed_in: Callable[[str], object]) -> Iterator[Page]:
    """A page in a browser that asks for the language; a console error fails the test."""
    problems: list[str] = []
    state = signed_in(STAFF)
    context = browser.new_context(base_url=address, storage_state=state, locale=TAG)  # type: ignore[arg-type]  # as Playwright gave it
    context.set_default_timeout(15_000)
    page = context.new_page()
    watch(page, problems)
    yield page
    context.close()
    assert not problems, problems


def test_scripts_speak_the_language_of_the_page(spoken: Page) -> None:
    spoken.goto("/executions")
    expect(spoken.locator("html")).to_have_attribute("lang", TAG)
    expect(spoken.locator("[data-theme-toggle]")).to_have_attribute(
        "title", accented("Theme: auto")
    )
    expect(spoken.locator("#live-state")).to_have_text(accented("Live"))
    for moment in spoken.locator("main time[data-relative]").all()[:5]:
        assert BEGIN in moment.inner_text()


def test_unsaved_changes_are_offered_back_in_the_language_of_the_page(
    spoken: Page, site: Site
) -> None:
    spoken.goto(f"/agents/{site.agent_id}/edit")
    spoken.locator("[name=description]").fill("Something else")
    expect(spoken.locator("[data-draft-state]")).to_contain_text(BEGIN)
    spoken.locator("form[data-draft]").evaluate("(form) => delete form.dataset.guard")
    spoken.reload()
    offer = spoken.locator(".note.draft")
    expect(offer).to_contain_text(f"{BEGIN}Ýóú hávé")
    offer.get_by_role("button").last.click()
    expect(offer).to_have_count(0)


def test_counted_texts_of_scripts_take_the_form_of_their_number(spoken: Page) -> None:
    spoken.goto("/")
    said = spoken.evaluate(
        """() => {
            const { ngettext } = window.greenroomTexts;
            return [1, 2].map((num) => ngettext("%(num)s day ago", "%(num)s days ago", num));
        }"""
    )
    expected = [accented("%(num)s day ago") % {"num": 1}, accented("%(num)s days ago") % {"num": 2}]
    assert said == expected


@pytest.mark.parametrize("path", PAGES)
def test_long_texts_neither_widen_the_page_nor_are_cut(spoken: Page, site: Site, path: str) -> None:
    spoken.goto(path.format(agent_id=site.agent_id, run_id=site.run_id))
    for width in (1280, 390):
        spoken.set_viewport_size({"width": width, "height": 850})
        assert spoken.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
        assert spoken.evaluate(CUT) == []
