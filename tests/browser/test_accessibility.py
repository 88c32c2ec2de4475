"""Every page in both themes: axe finds nothing serious, all fits, has its icons, is not blocked."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, ViewportSize

from tests.browser.conftest import Site

AXE = (Path(__file__).parent / "vendor/axe-core-4.14.1/axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]
RULES_OF_COLOUR = ["color-contrast", "link-in-text-block"]  # All that a theme changes.
WIDE: ViewportSize = {"width": 1280, "height": 850}
NARROW: ViewportSize = {"width": 390, "height": 850}
PARTS = 4
PATHS = [
    "/",
    "/?range=all",
    "/agents",
    "/agents/{agent}",
    "/agents/{agent}/revisions",
    "/agents/{agent}/analyses",
    "/agents/{agent}/analyses/{analysis}",
    "/agents/{agent}/playground",
    "/agents/{agent}/edit",
    "/agents/new",
    "/tools",
    "/tools/{tool}",
    "/tools/new",
    "/executions",
    "/executions/{run}",
    "/executions/{run}?span=00000000000000c1",
    "/executions/{run}/feedback",
    "/executions/compare",
    "/executions/compare?left=previous&right={run}",
    "/views",
    "/views/1/edit",
    "/bulk-changes",
    "/bulk-changes/1",
    "/agents/import",
    "/imports/1",
    "/connect",
    "/ingest",
    "/jobs",
    "/jobs?status=succeeded",
    "/jobs/1",
    "/jobs/2",
    "/jobs/3",
    "/keys",
    "/keys/new",
    "/keys?everyone=1",
    "/keys/1",
    "/keys/1/pause",
    "/agents/{agent}/pause",
    "/tools/{tool}/pause",
    "/model-prices",
    "/model-prices/new?model=qwen3",
    "/model-prices/1",
    "/model-prices/1/edit",
    "/executions/{run}?span=00000000000000b1",
    "/webhooks",
    "/webhooks/new",
    "/webhooks/1",
    "/webhooks/1/edit",
    "/webhooks/1/deliveries/1",
    "/users",
    "/users/1",
    "/users/1/edit",
    "/users/2/erase",
    "/users/invite",
    "/audit",
    "/trash",
    "/account",
    "/account/second-factor",
    "/search?q=support",
    "/operations",
    "/settings",
    "/retention",
    "/ingest/1",
    "/connect/1",
    "/tools/import",
    "/tools/{tool}/edit",
    "/help",
    "/help/agents",
    "/help?q=key",
    "/nowhere",
    "/admin/",
    "/admin/agents/list",
    "/admin/agents/create",
    "/admin/agents/details/{agent}",
    "/admin/tools/edit/{tool}",
    "/admin/audit_events/list",
]


def filled(path: str, site: Site) -> str:
    return path.format(
        agent=site.agent_id, tool=site.tool_id, run=site.run_id, analysis=site.analysis_id
    )


def faults_on(page: Page, rules: Sequence[str] = RULES) -> list[str]:
    """Serious and critical findings, as ``rule: first element``."""
    # Evaluated through the debugger, which the content security policy does not concern.
    page.evaluate(AXE)
    found: Any = page.evaluate("rules => axe.run(document, {runOnly: rules})", rules)
    return [
        f"{fault['id']}: {fault['nodes'][0]['html'][:200]}"
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
    ]


CURRENT_TAB_IS_SEEN = """() =>
[...document.querySelectorAll(".tabs [aria-current]")].every((tab) => {
  const box = tab.getBoundingClientRect();
  return box.left >= 0 && box.right <= window.innerWidth;
})"""


PAINTED = """() => new Promise((done) =>
    requestAnimationFrame(() => requestAnimationFrame(done)))"""
# The font has the icons that the code names, see ``tests.supply_chain.icons``.
UNKNOWN_ICONS = """() => [...document.querySelectorAll(".ti")]
    .filter((icon) => ["none", "normal"].includes(getComputedStyle(icon, "::before").content))
    .map((icon) => icon.className)"""


def misfits_on(page: Page) -> list[str]:
    """What does not fit the screen as it is now."""
    over = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    tab_is_seen = page.evaluate(CURRENT_TAB_IS_SEEN)
    width = page.evaluate("window.innerWidth")
    return [f"{over} px too wide at {width}"] * (over > 0) + (
        [] if tab_is_seen else [f"the current tab is out of sight at {width}"]
    )


def problems_of(page: Page) -> list[str]:
    """One look at a page that was loaded on a phone: narrow and wide, light and dark."""
    faults = [*misfits_on(page), *page.evaluate(UNKNOWN_ICONS)]
    page.set_viewport_size(WIDE)
    faults += misfits_on(page) + faults_on(page)
    page.emulate_media(color_scheme="dark")
    page.locator("html[data-bs-theme=dark]").wait_for(state="attached")
    page.evaluate(PAINTED)  # On a busy machine a colour was still the one from before.
    return faults + [f"dark: {fault}" for fault in faults_on(page, RULES_OF_COLOUR)]


@pytest.mark.parametrize("part", range(PARTS))
def test_pages_are_accessible_and_fit(
    open_page: Callable[..., Page], site: Site, part: int
) -> None:
    page = open_page(reduced_motion="reduce")
    problems = {}
    for path in PATHS[part::PARTS]:
        page.set_viewport_size(NARROW)
        page.emulate_media(color_scheme="light")
        page.goto(filled(path, site))
        if found := problems_of(page):
            problems[path] = found
    assert not problems


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_before_the_login(
    open_page: Callable[..., Page], theme: str
) -> None:
    page = open_page(None, color_scheme=theme)
    for path in ("/login", "/password/forgot"):
        page.goto(path)
        assert not faults_on(page), path


def test_palette_is_accessible(open_page: Callable[..., Page]) -> None:
    page = open_page(viewport=WIDE)
    page.goto("/help")
    page.keyboard.press("Control+k")
    page.locator("#palette-list [role=option]").first.wait_for()
    assert not faults_on(page)


def test_long_name_of_a_model_leaves_the_other_columns_in_sight(
    open_page: Callable[..., Page],
) -> None:
    page = open_page(viewport=WIDE)
    page.goto(f"/executions?model={'m' * 200}")
    wrap = page.locator(".table-wrap")
    assert wrap.evaluate("wrap => wrap.scrollWidth - wrap.clientWidth") == 0


def test_api_reference_is_served_from_here(open_page: Callable[..., Page], base_url: str) -> None:
    page = open_page()
    elsewhere: list[str] = []
    page.on(
        "request",
        lambda r: (
            None if r.url.startswith((base_url, "data:", "blob:")) else elsewhere.append(r.url)
        ),
    )
    page.goto("/docs")
    page.locator("#swagger").get_by_text("/executions/batch").first.wait_for(timeout=60_000)
    assert not elsewhere
