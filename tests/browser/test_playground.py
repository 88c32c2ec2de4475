"""An agent is tried out in a real browser: its words come as they are said, and Stop stops them."""

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import Site
from tests.browser.test_accessibility import faults_on
from tests.provider import Provider, calls, drips, says


def ask(page: Page, site: Site, text: str = "Where is my bag?") -> None:
    page.goto(f"/agents/{site.agent_id}/playground")
    page.get_by_label("Message 1", exact=True).fill(text)


def test_answer_is_shown_while_it_comes_and_stop_stops_it(
    page: Page, site: Site, provider: Provider
) -> None:
    provider.will(drips("more "))
    ask(page, site)
    page.get_by_label("Message 1", exact=True).press("Control+Enter")
    expect(page.locator(".streaming")).to_contain_text("more more more")
    expect(page.get_by_text("Running")).to_be_visible()
    stop = page.locator("[data-stop]")
    stop.click()
    left = page.locator("[data-outcome=left]")
    expect(left).to_contain_text("Cancelled")
    expect(left).to_contain_text("more more more")
    expect(stop).to_be_hidden()
    expect(page).to_have_url(re.compile(r"\?run=\d+$"))
    page.reload()
    expect(left).to_contain_text("Cancelled")


def test_two_models_answer_beside_each_other_and_tools_are_answered_by_hand(
    page: Page, site: Site, provider: Provider
) -> None:
    provider.will(
        calls(("find_bag", {"city": "Rome"})), calls(("find_bag", {"city": "Rome"})), says("One.")
    )
    ask(page, site)
    page.get_by_role("button", name="Compare two").click()
    page.locator("[name='right.model_name']").fill("gpt-4o-mini")
    page.get_by_role("button", name="Run both").click()
    left, right = page.locator("[data-outcome=left]"), page.locator("[data-outcome=right]")
    expect(left).to_contain_text("Waits for results")
    expect(right).to_contain_text("gpt-4o-mini")
    left.get_by_label("find_bag").fill('{"belt": 7}')
    left.get_by_role("button", name="Send results").click()
    expect(left).to_contain_text("One.")
    expect(right).to_contain_text("Waits for results")
    assert faults_on(page) == []
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    left.get_by_role("link", name="Trace").click()
    expect(page.get_by_role("heading", name="Trace")).to_be_visible()


def test_edited_prompt_asks_for_its_variables_and_mistakes_stand_beside_their_fields(
    page: Page, site: Site, provider: Provider
) -> None:
    provider.will(says("Hello."))
    ask(page, site)
    page.get_by_text("System prompt", exact=False).first.click()
    page.locator("[name='left.system_prompt']").fill("Help {{customer}}.")
    page.get_by_role("button", name="Run", exact=True).last.click()
    expect(page.get_by_role("alert")).to_contain_text("no value for: customer")
    page.get_by_label("customer").fill("Ada")
    page.get_by_role("button", name="Run", exact=True).last.click()
    expect(page.locator("[data-outcome=left]")).to_contain_text("Hello.")
    assert provider.requests[0]["messages"][0]["content"] == "Help Ada."


def test_what_was_typed_is_kept_and_drawn_again_with_all_its_messages(
    page: Page, site: Site
) -> None:
    ask(page, site, "First.")
    page.get_by_role("button", name="Add a message").click()
    page.get_by_label("Message 2", exact=True).fill("Second.")
    page.get_by_role("button", name="Compare two").click()
    page.locator("[name='right.model_name']").fill("other-model")
    expect(page.get_by_text("Kept in this browser")).to_be_visible()
    page.goto(f"/agents/{site.agent_id}/playground")
    expect(page.get_by_label("Message 1", exact=True)).to_have_value("")
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_label("Message 2", exact=True)).to_have_value("Second.")
    expect(page.locator("[name='right.model_name']")).to_have_value("other-model")
    expect(page.get_by_role("button", name="Restore")).to_have_count(0)
