"""Each server that the product talks to is gone or silent, alone and together with the others.

People come in, nothing opens, it is named, and what waited for it arrives afterwards.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager

import httpx2
import pytest
from sqlalchemy import select

from app.core import mail, rate_limits
from app.core.actor import Actor, Via
from app.core.database import Database
from app.core.embedded_postgres import EmbeddedPostgres
from app.core.permissions import Role
from app.doctor import neighbours
from app.jobs import webhook_deliveries
from app.models import Job, JobKind, User, WebhookEndpoint
from app.schemas.operations import State
from tests.conftest import actor_for, client_of, copy_database, settings_for
from tests.factories.agents import make_agent
from tests.factories.clients import SAME_ORIGIN, key_headers
from tests.factories.users import PASSWORD, make_user
from tests.factories.webhook_endpoints import make_webhook_delivery, make_webhook_endpoint
from tests.gate import How
from tests.integration.serving.neighbourhood import EXPORTS, NAMES, Site, standing
from tests.jobs import MOST_TRIES, work_off

API = "/api/v1"
WITHIN_S = 60
Afterwards = Callable[[], Awaitable[None]]


@pytest.fixture(scope="module")
async def site(
    postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Site]:
    name = await copy_database(postgres, template)
    database = Database.from_settings(settings_for(postgres.url(name)))
    async with standing(database, tmp_path_factory.mktemp("site")) as site:
        yield site
    await database.dispose()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "TIMEOUT_S", 0.5)
    monkeypatch.setattr(webhook_deliveries, "TIMEOUT_S", 0.5)
    monkeypatch.setattr(rate_limits, "ASK_REDIS_AGAIN_S", 1)


@pytest.fixture
async def person(site: Site) -> User:
    async with site.database.unit_of_work() as session:
        return await make_user(session, Role.STAFF)


async def until(is_so: Callable[[], bool]) -> None:
    for _ in range(WITHIN_S * 20):
        if is_so():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("It does not become so.")


async def look_at_doors(site: Site, person: User) -> None:
    """Who belongs here comes in; nobody else does, and nobody may do more than usual."""
    form = {"email": person.email, "password": PASSWORD}
    async with site.database.unit_of_work() as session:
        key = await key_headers(session, person)
    # From an address of their own: too many wrong passwords shut the door to all behind one.
    comes_from = {"X-Forwarded-For": f"203.0.113.{person.id}"}
    async with client_of(site.app, headers=SAME_ORIGIN | comes_from) as browser:
        assert (await browser.post("/login", data=form)).status_code == 303
        assert (await browser.get("/agents")).status_code == 200
    async with client_of(site.app, headers=comes_from) as stranger:
        wrong = await stranger.post("/login", data=form | {"password": "x"}, headers=SAME_ORIGIN)
        assert wrong.status_code == 401
        assert (await stranger.get("/agents")).status_code == 303
        assert (await stranger.get(f"{API}/agents")).status_code == 401
        forged = {"X-API-Key": "gr_" + "a" * 43}
        assert (await stranger.get(f"{API}/agents", headers=forged)).status_code == 401
        path = f"{API}/agents/export"
        exports = [await stranger.get(path, headers=key) for _ in range(EXPORTS + 1)]
        assert [each.status_code for each in exports] == [200] * EXPORTS + [429]


async def ready(site: Site) -> httpx2.Response:
    async with client_of(site.app) as client:
        return await client.get("/health/ready")


async def doctor_on(site: Site) -> dict[str, State]:
    return {each.key: each.state for each in await neighbours.neighbour_findings(site.settings)}


# What each is needed for, tried while it is gone; afterwards, how it is seen that all is well.


async def count_together(site: Site, person: User) -> Afterwards:
    async with site.database.unit_of_work() as session:
        headers = await key_headers(session, person)

    async def after() -> None:
        async with client_of(site.app, headers=headers) as client:
            while "redis" in (await ready(site)).json()["checks"]:
                await asyncio.sleep(0.1)
                await client.get(f"{API}/agents")

    return after


async def open_job(site: Site, kind: JobKind) -> Job:
    async with site.database.looking() as session:
        newest = select(Job).where(Job.kind == kind).order_by(Job.id.desc()).limit(1)
        return (await session.scalars(newest)).one()


async def forget_password(site: Site, person: User) -> Afterwards:
    async with client_of(site.app, headers=SAME_ORIGIN) as client:
        asked = await client.post("/password/forgot", data={"email": person.email})
        assert asked.is_success
    await work_off(site.app, rounds=1)
    job = await open_job(site, JobKind.SEND_MAIL)
    assert job.is_open
    assert job.error == "The mail server cannot be reached."

    async def after() -> None:
        await work_off(site.app)
        assert person.email in [str(each["To"]) for each in site.servers.inbox.mails]

    return after


async def tell_receiver(site: Site, _: User) -> Afterwards:
    system = Actor.system(Via.CLI)
    async with site.database.unit_of_work() as session:
        issued = await make_webhook_endpoint(session, url=site.hook)
        delivery = await make_webhook_delivery(session, system, issued.endpoint)
        endpoint_id, event_id = issued.endpoint.id, delivery.event_id
    await work_off(site.app, rounds=1)
    assert (await open_job(site, JobKind.DELIVER_WEBHOOK)).is_open
    async with site.database.looking() as session:
        told = await session.get_one(WebhookEndpoint, endpoint_id)
        assert told.failing_since is not None, "Operations says so"

    async def after() -> None:
        await work_off(site.app)
        assert event_id in [each.message_id for each in site.servers.receiver.received]

    return after


async def run_agent(site: Site, person: User) -> Afterwards:
    async with site.database.unit_of_work() as session:
        headers = await key_headers(session, person)
        agent = await make_agent(session, actor_for(person))

    async def ended(rounds: int) -> str:
        async with client_of(site.app, headers=headers) as client:
            asked = await client.post(f"{API}/agents/{agent.id}/run", json={"input": "Hello"})
            assert asked.status_code == 202, asked.text
            await work_off(site.app, rounds)
            run = await client.get(f"{API}/executions/{asked.json()['id']}")
        return f"{run.json()['status']} {run.json()['error_type'] or ''}".strip()

    assert (await ended(rounds=1)).startswith("failed provider_")

    async def after() -> None:
        assert await ended(rounds=MOST_TRIES) == "succeeded"

    return after


async def break_once(site: Site) -> None:
    async with client_of(site.app) as client:
        assert (await client.get(f"{API}/break")).status_code == 500


async def report_error(site: Site, _: User) -> Afterwards:
    await break_once(site)

    async def after() -> None:
        site.servers.sentry.bodies.clear()
        await break_once(site)
        await until(lambda: bool(site.servers.sentry.items("event")))

    return after


async def send_spans(site: Site, _: User) -> Afterwards:
    await break_once(site)

    async def after() -> None:
        site.servers.collector.clear()
        await break_once(site)
        await until(lambda: bool(site.servers.collector.spans))

    return after


USES = dict(
    zip(
        NAMES,
        (count_together, forget_password, run_agent, tell_receiver, report_error, send_spans),
        strict=True,
    )
)


@asynccontextmanager
async def gone(site: Site, names: tuple[str, ...], how: How) -> AsyncIterator[None]:
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(site.gates[name].being(how))
        yield


async def look_at_names(
    site: Site, names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ready all the same; who is gone is named there or by the doctor."""
    answer = await ready(site)
    assert answer.status_code == 200
    assert ("redis" in answer.json()["checks"]) == ("redis" in names)
    with monkeypatch.context() as hurried:
        hurried.setattr(neighbours, "WITHIN_S", 0.5)
        states = await doctor_on(site)
    assert all(states.get(name) in (State.WARN, State.BAD) for name in set(names) & states.keys())
    assert set(names) - states.keys() <= {"webhook"}


@pytest.mark.parametrize("how", [How.REFUSING, How.HANGING])
@pytest.mark.parametrize("names", [*((name,) for name in NAMES), NAMES], ids="-".join)
async def test_product_goes_on_without_it_and_what_waited_arrives_when_it_is_back(
    site: Site,
    person: User,
    names: tuple[str, ...],
    how: How,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with gone(site, names, how):
        await look_at_doors(site, person)
        await look_at_names(site, names, monkeypatch)
        afterwards = [await USES[name](site, person) for name in names]
    for look in afterwards:
        await look()
    states = await doctor_on(site)
    assert {states[name] for name in set(names) - {"webhook"}} <= {State.OK}
