"""A message that was not taken is sent again from its page, and the page says what came of it."""

import re

from playwright.sync_api import Page, expect

from tests.receiver import receiving

WORKED_WITHIN_MS = 60_000  # the worker's process has to start first


def test_message_that_was_not_taken_is_sent_again(worked_page: Page) -> None:
    page = worked_page
    with receiving() as receiver:
        receiver.will_answer(500, text="the database is away")
        page.goto("/webhooks/new")
        page.get_by_label("Address").fill(receiver.url)
        page.get_by_label("job.failed").check()
        page.get_by_role("button", name="Add the endpoint").click()
        secret = page.locator("#new-secret").inner_text()
        page.get_by_role("link", name="Go to the endpoint").click()
        page.get_by_role("button", name="Send test event").click()
        state = page.locator("#state")
        expect(state).to_contain_text("It answered 500.", timeout=WORKED_WITHIN_MS)
        expect(state).to_contain_text("the database is away")
        page.get_by_role("button", name=re.compile("Try now|Send again")).click()
        expect(state.get_by_role("status")).to_have_text("Succeeded", timeout=WORKED_WITHIN_MS)
        messages = [request.verified(secret) for request in receiver.received]
        assert {message["type"] for message in messages} == {"webhook.test"}
        assert len({request.message_id for request in receiver.received}) == 1
