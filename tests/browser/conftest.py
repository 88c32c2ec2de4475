"""One real server and a real Chromium; a page with a console error fails its test."""

import asyncio
import os
import shutil
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
from playwright.sync_api import Browser, BrowserContext, BrowserType, Page
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.database import Database
from app.core.embedded_postgres import EmbeddedPostgres
from app.core.migrations import migrate
from app.core.permissions import Role
from app.models import Agent, JobStatus
from tests.browser import worked as worked_sites
from tests.browser.worked import BOSS, WorkedSite, working_site
from tests.cluster import serving
from tests.conftest import actor_for, settings_for
from tests.factories.agents import make_agent
from tests.factories.analyses import make_analysis, with_summary
from tests.factories.api_keys import make_api_key
from tests.factories.bulk_changes import make_bulk_change
from tests.factories.executions import execution_data
from tests.factories.imports import make_import
from tests.factories.ingest_batches import make_ingest_batch
from tests.factories.jobs import make_job
from tests.factories.model_prices import make_model_price
from tests.factories.saved_views import make_saved_view
from tests.factories.tools import make_tool
from tests.factories.users import PASSWORD, make_user
from tests.factories.webhook_endpoints import make_webhook_delivery, make_webhook_endpoint
from tests.provider import Provider

T = TypeVar("T")
STAFF, VIEWER = "staff@example.com", "viewer@example.com"
LEAN = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-dev-shm-usage",
]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
RUNS = 60


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests run last: Playwright keeps an event loop running once it has begun."""
    for item in items:
        if "browser" in Path(item.fspath).parts:
            item.add_marker(pytest.mark.browser)
    items.sort(key=lambda item: "browser" in Path(item.fspath).parts)


def in_thread(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end beside Playwright's own event loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


@dataclass(frozen=True, slots=True)
class Site:
    """A seeded installation and what is in it."""

    url: str
    api_key: str
    agent_id: int
    tool_id: int
    run_id: int
    analysis_id: int

    def api(self) -> httpx2.Client:
        headers = {"X-API-Key": self.api_key}
        return httpx2.Client(base_url=f"{self.url}/api/v1", headers=headers, trust_env=False)


@dataclass(frozen=True, slots=True)
class Seed:
    """Ids that the seeding made."""

    agent_id: int
    tool_id: int
    api_key: str
    analysis_id: int


async def seed(url: str) -> Seed:
    database = Database.from_settings(settings_for(url))
    await migrate(database.engine)
    async with database.unit_of_work() as session:
        boss = await make_user(session, Role.SUPERUSER, email=STAFF)
        await make_user(session, Role.VIEWER, email=VIEWER)
        actor = actor_for(boss)
        tool = await make_tool(session, actor, name="find_bag")
        agent = await make_agent(session, actor, name="airline-support", tool_ids=[tool.id])
        await make_agent(session, actor, name="retail-support", description="Sells shoes")
        _, key = await make_api_key(session, boss)
        tier = {"above_input_tokens": 200_000, "input_price": "6", "output_price": "18"}
        await make_model_price(session, actor, tiers=[tier], provider="ollama")
        hook = (await make_webhook_endpoint(session, actor, events=["job.failed"])).endpoint
        await make_webhook_delivery(session, actor, hook)
        await make_saved_view(session, actor, name="Failed today", is_shared=True)
        await make_jobs(session, actor, agent)
        await make_ingest_batch(session, actor)
        await make_bulk_change(session, actor, ids=[agent.id])
        await make_import(session, actor)
        summed_up = with_summary(text="Look at the errors of book [1], then at [2, 3].")
        analysis = await make_analysis(session, actor, agent, summed_up)
        found = Seed(agent.id, tool.id, key, analysis.id)
    await database.dispose()
    return found


async def make_jobs(session: AsyncSession, actor: Actor, agent: Agent) -> None:
    """One of each fate, as workers leave them; the first failed."""
    error = "The provider did not answer in 60 seconds."
    await make_job(session, actor, status=JobStatus.FAILED, error=error, attempts=3)
    await make_job(
        session,
        actor,
        agent_id=agent.id,
        status=JobStatus.RUNNING,
        progress=42,
        message="Reading runs 400 to 500",
        attempts=1,
    )
    await make_job(session, actor, status=JobStatus.SUCCEEDED, result={"runs": 120}, attempts=1)


def report_runs(site: Site) -> int:
    """Many small runs and one long one; the id of the newest with a failed step."""
    with site.api() as api:
        agent = type("Ref", (), {"id": site.agent_id})()
        runs = [
            execution_data(
                agent, started_at=f"2026-11-01T{i // 60:02}:{i % 60:02}:00Z", ended_at=None
            )
            for i in range(RUNS)
        ]
        words = [{"role": "user", "content": "My zebra wants a window seat"}]
        # Names without a place to break, as long as they may be.
        long = {"model": "m" * 200, "error_type": "e" * 200, "tags": ["t" * 64, "u" * 64]}
        runs.append(
            execution_data(agent, external_id="zebra-run", input={"messages": words}, **long)
        )
        steps = [{"name": f"step {i}", "kind": "tool"} for i in range(300)]
        runs.append(execution_data(agent, external_id="long-run", spans=steps))
        answer = api.post("/executions/batch", json={"items": runs}, timeout=30).json()
        assert answer["created"] == len(runs), answer
        found = api.get("/executions", params={"external_id": "zebra-run"}).json()
        return int(found["items"][0]["id"])


@pytest.fixture(scope="session")
def site(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory, provider: Provider
) -> Iterator[Site]:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(postgres.ensure_database, "browser").result()
    made = in_thread(seed(postgres.url("browser")))
    folder, provided = tmp_path_factory.mktemp("browser"), provider.base_url
    named = {"OPENAI_BASE_URL": provided, "PROVIDER_MODEL": "gpt-4o-mini"}
    with serving(postgres.url("browser"), folder, **named) as address:
        bare = Site(address, made.api_key, made.agent_id, made.tool_id, 0, made.analysis_id)
        yield replace(bare, run_id=report_runs(bare))


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    """The model provider of the site."""
    with Provider() as provider:
        yield provider


@pytest.fixture(scope="session")
def worked(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WorkedSite]:
    """Another installation, whose jobs are done."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(postgres.ensure_database, "worked").result()
    url = postgres.url("worked")
    seed = in_thread(worked_sites.seed(url))
    with working_site(url, seed, tmp_path_factory.mktemp("worked")) as site:
        yield site


@pytest.fixture
def worked_page(browser: Browser, worked: WorkedSite) -> Iterator[Page]:
    """A page of that installation in which its superuser is logged in."""
    problems: list[str] = []
    context = browser.new_context(base_url=worked.url)
    context.set_default_timeout(15_000)
    page = context.new_page()
    watch(page, problems)
    page.goto("/login")
    sign_in(page, BOSS)
    page.wait_for_url(f"{worked.url}/")
    yield page
    context.close()
    assert not problems, problems


@pytest.fixture(scope="session")
def base_url(site: Site) -> str:
    return site.url


@pytest.fixture(scope="session")
def browser_type_launch_args(
    browser_type_launch_args: dict[str, Any], browser_type: BrowserType
) -> dict[str, Any]:
    """Playwright's own Chromium where it is installed, else the system's."""
    options = {**browser_type_launch_args, "args": list(LEAN)}
    if not Path(browser_type.executable_path).exists():
        found = next(filter(None, map(shutil.which, BROWSERS)), None)
        if found is None:
            pytest.fail("There is no Chromium. Run: make browser")
        options["executable_path"] = found
    if os.geteuid() == 0:
        options["args"].append("--no-sandbox")
    return options


def watch(page: Page, problems: list[str]) -> None:
    """Collect console errors (policy violations are among them) and uncaught exceptions."""

    def on_console(message: Any) -> None:  # a ConsoleMessage
        if message.type == "error" and "Failed to load resource" not in message.text:
            problems.append(message.text)

    page.on("console", on_console)
    page.on("pageerror", lambda error: problems.append(str(error)))


def sign_in(page: Page, email: str = STAFF, password: str = PASSWORD) -> None:
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


@pytest.fixture(scope="session")
def signed_in(browser: Browser, base_url: str) -> Callable[[str], Any]:
    """The browser state of a logged-in person, by e-mail; each logs in once."""
    states: dict[str, Any] = {}

    def state(email: str) -> Any:  # as Playwright's storage_state
        if email not in states:
            context = browser.new_context(base_url=base_url)
            page = context.new_page()
            page.goto("/login")
            sign_in(page, email)
            page.wait_for_url(f"{base_url}/")
            states[email] = context.storage_state()
            context.close()
        return states[email]

    return state


@pytest.fixture
def open_page(
    browser: Browser, base_url: str, signed_in: Callable[[str], Any]
) -> Iterator[Callable[..., Page]]:
    """Pages with the given options; any console error on one of them fails the test."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def new(email: str | None = STAFF, **options: Any) -> Page:
        state = {} if email is None else {"storage_state": signed_in(email)}
        context = browser.new_context(base_url=base_url, **state, **options)
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        watch(page, problems)
        return page

    yield new
    for context in contexts:
        context.close()
    assert not problems, problems


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """A page in which staff are logged in."""
    return open_page()
