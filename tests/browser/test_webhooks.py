"""A message that was not taken is sent again from its page, and the page says what came of it."""

import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from app.core.database import Database
from app.core.embedded_postgres import EmbeddedPostgres
from app.core.migrations import migrate
from app.core.permissions import Role
from tests.browser.conftest import STAFF, in_thread, sign_in, watch
from tests.conftest import settings_for
from tests.factories.users import make_user
from tests.receiver import receiving
from tests.server import SECRET, ServerProcess, clean_environment

WORKED_WITHIN_MS = 60_000  # the worker's process has to start first


async def seed(url: str) -> None:
    database = Database.from_settings(settings_for(url))
    await migrate(database.engine)
    async with database.unit_of_work() as session:
        await make_user(session, Role.SUPERUSER, email=STAFF)
    await database.dispose()


@pytest.fixture
def worked_url(postgres: EmbeddedPostgres, tmp_path: Path) -> Iterator[str]:
    """A server and a worker that may reach this machine, over a database of their own."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(postgres.ensure_database, "webhooks").result()
    url = postgres.url("webhooks")
    in_thread(seed(url))
    environment = clean_environment(
        DATABASE_URL=url, SECRET_KEY=SECRET, OUTBOUND_ALLOWED_NETWORKS="127.0.0.0/8"
    )
    command = [sys.executable, "-m", "app", "worker"]
    with ServerProcess(url, tmp_path) as server, (tmp_path / "worker.log").open("wb") as log:
        worker = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
        try:
            yield server.url
        finally:
            worker.terminate()
            worker.wait(20)


def test_message_that_was_not_taken_is_sent_again(browser: Browser, worked_url: str) -> None:
    problems: list[str] = []
    context = browser.new_context(base_url=worked_url)
    context.set_default_timeout(15_000)
    page = context.new_page()
    watch(page, problems)
    with receiving() as receiver:
        receiver.will_answer(500, text="the database is away")
        page.goto("/webhooks/new")
        sign_in(page)
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
    context.close()
    assert not problems
