"""Every page in both themes: axe finds nothing serious, nothing overflows, nothing is blocked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Site

AXE = (Path(__file__).parent / "vendor/axe-core-4.14.1/axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]
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
    "/users/invite",
    "/audit",
    "/trash",
    "/account",
    "/account/second-factor",
    "/search?q=support",
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


def faults_on(page: Page) -> list[str]:
    """Serious and critical findings, as ``rule: first element``."""
    # Evaluated through the debugger, which the content security policy does not concern.
    page.evaluate(AXE)
    found: Any = page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
    return [
        f"{fault['id']}: {fault['nodes'][0]['html'][:200]}"
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(open_page: Callable[..., Page], site: Site, theme: str) -> None:
    page = open_page(color_scheme=theme, reduced_motion="reduce")
    faults = {}
    for path in PATHS:
        page.goto(filled(path, site))
        if found := faults_on(page):
            faults[path] = found
    assert not faults


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_before_the_login(
    open_page: Callable[..., Page], theme: str
) -> None:
    page = open_page(None, color_scheme=theme)
    for path in ("/login", "/password/forgot"):
        page.goto(path)
        assert not faults_on(page), path


CURRENT_TAB_IS_SEEN = """() =>
[...document.querySelectorAll(".tabs [aria-current]")].every((tab) => {
  const box = tab.getBoundingClientRect();
  return box.left >= 0 && box.right <= window.innerWidth;
})"""


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_the_screen(
    open_page: Callable[..., Page], site: Site, width: int
) -> None:
    page = open_page(viewport={"width": width, "height": 850})
    wide = {}
    for path in PATHS:
        page.goto(filled(path, site))
        over = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        if over > 0:
            wide[path] = over
        assert page.evaluate(CURRENT_TAB_IS_SEEN), path
    assert not wide


def test_long_name_of_a_model_leaves_the_other_columns_in_sight(
    open_page: Callable[..., Page],
) -> None:
    page = open_page(viewport={"width": 1280, "height": 850})
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
    page.locator("#swagger").get_by_text("/executions/batch").first.wait_for()
    assert not elsewhere
