"""The page that waits for the first span, in a real browser."""

import re
from collections.abc import Callable

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site
from tests.browser.test_accessibility import faults_on
from tests.otlp.requests import as_json, make_span


def test_page_turns_green_with_the_first_span_and_leads_to_its_run(page: Page, site: Site) -> None:
    page.goto("/connect")
    page.get_by_label("Name of the key").fill("laptop")
    page.get_by_role("button", name="Make a key").click()
    token = page.locator("#new-key").inner_text()
    expect(page.locator("#live-state")).to_have_attribute("data-state", "live")
    expect(page.locator("#arrival")).to_contain_text("Waiting for your first span")
    page.get_by_role("link", name="Pydantic AI").press("Enter")
    expect(page.locator("#snippets")).to_contain_text("Agent.instrument_all()")
    expect(page.locator("#new-key"), "the key is still there").to_have_text(token)
    headers = {"Authorization": f"Bearer {token}"}
    request = as_json([make_span(1, trace=4711)])
    sent = httpx2.post(f"{site.url}/v1/traces", json=request, headers=headers, trust_env=False)
    assert sent.status_code == 200
    expect(page.locator("#arrival")).to_contain_text("Connected")
    page.get_by_role("link", name="Open the run").click()
    expect(page).to_have_url(re.compile(r"/executions/\d+$"))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_new_pages_are_accessible_and_fit(
    open_page: Callable[..., Page], theme: str, width: int
) -> None:
    page = open_page(color_scheme=theme, viewport={"width": width, "height": 850})
    for path in ("/connect", "/connect?framework=curl", "/ingest", "/ingest/1"):
        page.goto(path)
        assert not faults_on(page), path
        over = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert over <= 0, path
