"""Jobs and analyses move on their pages while a worker does them; nobody loads a page again."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site
from tests.browser.test_accessibility import faults_on
from tests.browser.worked import ENDLESS_STEP, WorkedSite

WORKED_WITHIN_MS = 60_000  # the worker's process has to start first
RUNS = 120


def mark(page: Page) -> None:
    """The mark goes when the page is loaded again."""
    page.evaluate("window.stillTheSamePage = true")


def is_marked(page: Page) -> bool:
    return bool(page.evaluate("window.stillTheSamePage === true"))


def test_job_moves_on_its_page_and_stops_when_it_is_cancelled(
    worked_page: Page, worked: WorkedSite
) -> None:
    page, agent = worked_page, worked.seed.endless
    worked.report(agent, RUNS)
    earlier = {"started_at": "2026-10-01T10:00:00Z", "ended_at": None}
    worked.report(agent, 1, spans=[ENDLESS_STEP], **earlier)
    with worked.held():
        with worked.api() as api:
            job_id = api.post(f"/agents/{agent.id}/analyze", json={}).json()["id"]
        page.goto(f"/jobs/{job_id}")
        state = page.locator("#state")
        expect(state.locator(".st")).to_have_text("Queued")
        expect(page.locator("#live-state")).to_have_attribute("data-state", "live")
        mark(page)
    expect(state.locator(".st")).to_have_text("Running", timeout=WORKED_WITHIN_MS)
    expect(state.get_by_role("status")).to_have_text(
        re.compile(rf"\d+ %: \d+ of {RUNS + 1} runs read"), timeout=WORKED_WITHIN_MS
    )
    assert is_marked(page)
    state.get_by_role("button", name="Cancel").click()
    expect(state.locator(".st").first).to_have_text("Cancelled")
    expect(state.get_by_role("button", name="Try again")).to_be_visible()
    expect(page.locator("#live-state")).to_be_hidden()


def test_analysis_that_is_asked_for_becomes_a_report_on_the_same_page(
    worked_page: Page, worked: WorkedSite
) -> None:
    page, agent = worked_page, worked.seed.agent
    worked.report(agent, 30)
    others = page.context.new_page()
    others.goto(f"/agents/{agent.id}/analyses")
    expect(others.get_by_text("No analysis yet")).to_be_visible()
    mark(others)
    page.goto(f"/agents/{agent.id}/analyses")
    with worked.held():
        page.get_by_role("button", name="Analyse").click()
        expect(page.get_by_role("heading", name="Waiting for a worker")).to_be_visible()
        expect(page.locator("#live-state")).to_have_attribute("data-state", "live")
        expect(others.locator("#results progress")).to_be_visible()
        mark(page)
    expect(page.get_by_role("heading", name="Findings")).to_be_visible(timeout=WORKED_WITHIN_MS)
    expect(page.get_by_text("Ignored tool errors").first).to_be_visible()
    expect(page.get_by_text("The report is ready.")).to_have_role("status")
    expect(page.locator("#state")).to_have_count(0)
    expect(others.locator("#results").get_by_text("Succeeded")).to_be_visible()
    expect(others.locator("#results progress")).to_have_count(0)
    assert is_marked(page)
    assert is_marked(others)


def test_rows_ticked_by_keyboard_are_tagged_and_the_tag_is_taken_back(worked_page: Page) -> None:
    page = worked_page
    page.goto("/agents")
    bar = page.get_by_role("form", name="Change the selected rows")
    expect(bar).to_be_hidden()
    for key in ("j", "x", "j", "x"):
        page.keyboard.press(key)
    expect(bar).to_contain_text("2 selected")
    page.locator("tbody input[name=ids]").first.uncheck()
    expect(bar).to_contain_text("1 selected")
    page.locator("tbody input[name=ids]").last.click(modifiers=["Shift"])
    page.locator("tbody input[name=ids]").first.click(modifiers=["Shift"])
    expect(bar).to_contain_text("2 selected")
    assert faults_on(page) == []
    bar.get_by_role("button", name="Tag").click()
    page.get_by_label("Tag to add").fill("vip")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Tag 2 agents: vip?")).to_be_visible()
    assert faults_on(page) == []
    page.get_by_role("button", name="Tag 2 agents").click()
    expect(page.get_by_text("Done 2 changed.")).to_be_visible(timeout=WORKED_WITHIN_MS)
    assert faults_on(page) == []
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Undo the change of 2 agents").click()
    expect(page.get_by_text("Done 2 changed.")).to_be_visible(timeout=WORKED_WITHIN_MS)
    page.goto("/agents?tag=vip")
    expect(page.get_by_text("No agent matches")).to_be_visible()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_an_unfolded_report(
    open_page: Callable[..., Page], site: Site, theme: str, width: int
) -> None:
    viewport = {"width": width, "height": 850}
    page = open_page(color_scheme=theme, viewport=viewport, reduced_motion="reduce")
    page.goto(f"/agents/{site.agent_id}/analyses/{site.analysis_id}")
    page.evaluate("document.querySelectorAll('#analysis details').forEach(d => d.open = true)")
    assert not faults_on(page)
    over = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert over <= 0
