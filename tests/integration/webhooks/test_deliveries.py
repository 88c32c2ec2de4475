"""Messages arrive signed, once they are true, again under the same id, and only where they may."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from standardwebhooks import WebhookVerificationError

from app.core.actor import Actor, Via
from app.core.config import Settings
from app.jobs.context import Resources
from app.jobs.retention import keep_for_as_long_as_said
from app.jobs.webhook_deliveries import LONGEST_WAIT, retry_after
from app.models import Job, WebhookDelivery, WebhookEndpoint
from app.services.job_queue import DELIVERY_DELAYS, POLICIES, Policy
from app.services.retention import RetentionService
from app.services.webhook_attempts import GIVEN_UP_AFTER, WebhookUpkeepService
from tests.conftest import QueryCounter
from tests.factories.agents import make_agent
from tests.factories.executions import execution_data, make_execution
from tests.integration.webhooks.conftest import Subscribe
from tests.jobs import work_off
from tests.receiver import Receiver

API = "/api/v1"


async def newest(session: AsyncSession) -> WebhookDelivery:
    statement = select(WebhookDelivery).order_by(WebhookDelivery.id.desc()).limit(1)
    return (await session.scalars(statement.execution_options(populate_existing=True))).one()


async def stored(session: AsyncSession, endpoint_id: int) -> WebhookEndpoint:
    statement = select(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id)
    return (await session.scalars(statement.execution_options(populate_existing=True))).one()


async def count(session: AsyncSession, model: Any) -> int:
    return await session.scalar(select(func.count(model.id))) or 0


async def test_failed_run_is_told_signed_and_without_its_contents(
    app: FastAPI,
    api: httpx2.AsyncClient,
    session: AsyncSession,
    actor: Actor,
    receiver: Receiver,
    subscribe: Subscribe,
) -> None:
    endpoint = await subscribe("execution.failed")
    agent = await make_agent(session, actor)
    for status in ("succeeded", "failed"):
        await api.post(f"{API}/executions", json=execution_data(agent, status=status))
    await work_off(app)
    [request] = receiver.received
    message = request.verified(endpoint["secret"])
    assert message["type"] == "execution.failed"
    assert (message["data"]["agent_id"], message["data"]["status"]) == (agent.id, "failed")
    assert request.headers["content-type"] == "application/json"
    for content in (b"bag", b"Rome", b"kind"):
        assert content not in request.body, "neither prompts nor outputs leave"


async def test_signature_fits_this_message_and_no_other(
    app: FastAPI, boss: httpx2.AsyncClient, receiver: Receiver, subscribe: Subscribe
) -> None:
    endpoint = await subscribe("job.failed")
    await boss.post(f"{API}/webhooks/{endpoint['id']}/test")
    await work_off(app)
    [request] = receiver.received
    assert request.verified(endpoint["secret"])["type"] == "webhook.test"
    request.body += b" "
    with pytest.raises(WebhookVerificationError):
        request.verified(endpoint["secret"])


async def test_both_secrets_sign_until_the_overlap_ends(
    app: FastAPI,
    boss: httpx2.AsyncClient,
    session: AsyncSession,
    receiver: Receiver,
    subscribe: Subscribe,
) -> None:
    endpoint = await subscribe("job.failed")
    path = f"{API}/webhooks/{endpoint['id']}"
    rotated = (await boss.post(f"{path}/rotate", json={"overlap_hours": 1})).json()
    await boss.post(f"{path}/test")
    await work_off(app)
    receiver.received[0].verified(endpoint["secret"])
    receiver.received[0].verified(rotated["secret"])
    over = update(WebhookEndpoint).values(old_secret_until=func.now() - timedelta(seconds=1))
    await session.execute(over)
    await boss.post(f"{path}/test")
    await work_off(app)
    receiver.received[1].verified(rotated["secret"])
    with pytest.raises(WebhookVerificationError):
        receiver.received[1].verified(endpoint["secret"])


@pytest.mark.parametrize("status", [301, 404, 429, 500, 503])
async def test_message_that_is_not_taken_comes_again_under_its_id(
    app: FastAPI,
    boss: httpx2.AsyncClient,
    session: AsyncSession,
    receiver: Receiver,
    subscribe: Subscribe,
    status: int,
) -> None:
    endpoint = await subscribe("job.failed")
    receiver.will_answer(status, {"location": f"{receiver.url}/elsewhere"}, "not now")
    await boss.post(f"{API}/webhooks/{endpoint['id']}/test")
    await work_off(app, rounds=1)
    row = await newest(session)
    assert (row.status, row.attempts, row.response_status) == ("pending", 1, status)
    assert row.response_excerpt == "not now"
    assert row.next_at is not None
    assert (await stored(session, endpoint["id"])).failing_since is not None
    await work_off(app)
    row = await newest(session)
    assert (row.status, row.attempts, row.error, row.next_at) == ("succeeded", 2, None, None)
    first, second = receiver.received
    assert first.message_id == second.message_id == row.event_id
    assert first.body == second.body
    assert {request.path for request in receiver.received} == {"/hooks"}, "no redirect is followed"
    assert (await stored(session, endpoint["id"])).failing_since is None


async def test_receiver_says_when_to_come_again(
    app: FastAPI,
    boss: httpx2.AsyncClient,
    session: AsyncSession,
    receiver: Receiver,
    subscribe: Subscribe,
) -> None:
    endpoint = await subscribe("job.failed")
    receiver.will_answer(503, {"retry-after": "7200"})
    await boss.post(f"{API}/webhooks/{endpoint['id']}/test")
    await work_off(app, rounds=1)
    row = await newest(session)
    assert row.next_at is not None
    assert row.attempted_at is not None
    assert row.next_at - row.attempted_at >= timedelta(hours=2)


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("120", timedelta(minutes=2)),
        ("999999999999", LONGEST_WAIT),
        ("Thu, 26 Nov 2026 09:00:00 GMT", timedelta(hours=1)),
        ("Thu, 26 Nov 2026 07:00:00 GMT", None),
        ("soon", None),
        ("", None),
        ("-5", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, wait: timedelta | None) -> None:
    assert retry_after(value, datetime(2026, 11, 26, 8, tzinfo=UTC)) == wait


def test_tries_spread_over_about_75_hours() -> None:
    policy = POLICIES["deliver_webhook"]
    assert (policy.attempts, len(DELIVERY_DELAYS)) == (10, 9)
    assert timedelta(hours=75) < sum(DELIVERY_DELAYS, timedelta()) < timedelta(hours=76)
    drawn = {policy.delay_after(3) for _ in range(20)}
    assert len(drawn) > 1, "what failed together is not tried again together"
    assert all(timedelta(minutes=27) <= delay <= timedelta(minutes=33) for delay in drawn)
    assert Policy().delay_after(2) == timedelta(seconds=10)


async def test_gone_disables_the_endpoint_and_says_why(
    app: FastAPI,
    boss: httpx2.AsyncClient,
    session: AsyncSession,
    receiver: Receiver,
    subscribe: Subscribe,
) -> None:
    endpoint = await subscribe("job.failed")
    receiver.will_answer(410)
    await boss.post(f"{API}/webhooks/{endpoint['id']}/test")
    await work_off(app)
    assert (await newest(session)).status == "failed"
    answer = (await boss.get(f"{API}/webhooks/{endpoint['id']}")).json()
    assert (answer["state"], answer["disabled_reason"]) == ("disabled", "It answered 410 Gone.")
    again = await boss.post(f"{API}/webhooks/{endpoint['id']}/test")
    assert again.status_code == 409
    assert len(receiver.received) == 1


async def test_endpoint_that_takes_nothing_for_days_is_disabled(
    app: FastAPI,
    boss: httpx2.AsyncClient,
    session: AsyncSession,
    receiver: Receiver,
    subscribe: Subscribe,
) -> None:
    endpoint = await subscribe("job.failed")
    long_ago = func.now() - GIVEN_UP_AFTER - timedelta(hours=1)
    await session.execute(update(WebhookEndpoint).values(failing_since=long_ago))
    for _ in range(10):
        receiver.will_answer(500)
    await boss.post(f"{API}/webhooks/{endpoint['id']}/test")
    await work_off(app)
    row = await newest(session)
    assert (row.status, row.attempts) == ("failed", 10)
    assert (await stored(session, endpoint["id"])).is_active is False


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/x", "http://[::ffff:127.0.0.1]:9/", "http://169.254.169.254/x"]
)
async def test_message_to_a_private_address_is_refused_before_it_connects(
    app: FastAPI,
    settings: Settings,
    boss: httpx2.AsyncClient,
    session: AsyncSession,
    subscribe: Subscribe,
    url: str,
) -> None:
    all_networks = {"outbound_allowed_networks": [ip_network("0.0.0.0/0")]}
    app.state.settings = settings.model_copy(update=all_networks)
    endpoint = await subscribe("job.failed", url=url)
    app.state.settings = settings  # nothing private is allowed any more
    await boss.post(f"{API}/webhooks/{endpoint['id']}/test")
    await work_off(app)
    row = await newest(session)
    assert (row.status, row.attempts, row.response_status) == ("failed", 1, None)
    assert "not an address that Greenroom connects to" in (row.error or "")


async def test_receiver_that_is_away_costs_the_change_nothing(
    app: FastAPI,
    api: httpx2.AsyncClient,
    session: AsyncSession,
    actor: Actor,
    subscribe: Subscribe,
) -> None:
    await subscribe("execution.finished", url="http://127.0.0.1:9/nobody")
    agent = await make_agent(session, actor)
    answer = await api.post(f"{API}/executions", json=execution_data(agent))
    assert answer.status_code == 201
    await work_off(app, rounds=1)
    assert (await newest(session)).error == "127.0.0.1 could not be reached."


async def test_change_that_is_undone_is_told_to_nobody(
    app: FastAPI, session: AsyncSession, actor: Actor, receiver: Receiver, subscribe: Subscribe
) -> None:
    """As where one item of a batch is refused: its message goes with its savepoint."""
    await subscribe("execution.finished")
    agent = await make_agent(session, actor)
    async with app.state.database.unit_of_work() as unit:
        with suppress(RuntimeError):
            async with unit.begin_nested():
                await make_execution(unit, actor, agent)
                raise RuntimeError("the item is refused")
        kept = await make_execution(unit, actor, agent)
    await work_off(app)
    assert await count(session, WebhookDelivery) == 1
    [request] = receiver.received
    assert f'"execution_id":{kept.id}'.encode() in request.body


async def test_messages_of_one_change_get_their_jobs_together(
    app: FastAPI,
    api: httpx2.AsyncClient,
    session: AsyncSession,
    actor: Actor,
    receiver: Receiver,
    subscribe: Subscribe,
    counted: QueryCounter,
) -> None:
    await subscribe("execution.finished")
    agent = await make_agent(session, actor)
    asked = []
    for size in (1, 25):
        runs = [execution_data(agent) for _ in range(size)]
        counted.statements.clear()
        with counted:
            await api.post(f"{API}/executions/batch", json={"items": runs})
        asked.append(sum("INSERT INTO jobs" in sql for sql in counted.statements))
    assert asked == [1, 1]
    jobs = list(await session.scalars(select(Job)))
    assert len(jobs) == 26
    assert {job.user_id for job in jobs} == {None}, "sent whoever is gone by then"
    await work_off(app)
    assert len({request.message_id for request in receiver.received}) == 26


async def test_events_nobody_wants_are_not_stored(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, subscribe: Subscribe
) -> None:
    await subscribe("agent.paused")
    agent = await make_agent(session, actor)
    await api.post(f"{API}/executions", json=execution_data(agent))
    assert await count(session, WebhookDelivery) == 0


async def test_redelivery_has_the_same_id_and_does_not_wait(
    app: FastAPI,
    boss: httpx2.AsyncClient,
    session: AsyncSession,
    receiver: Receiver,
    subscribe: Subscribe,
) -> None:
    endpoint = await subscribe("job.failed")
    receiver.will_answer(500)
    sent = (await boss.post(f"{API}/webhooks/{endpoint['id']}/test")).json()
    await work_off(app, rounds=1)
    path = f"{API}/webhooks/{endpoint['id']}/deliveries/{sent['id']}"
    assert (await boss.get(path)).json()["next_at"] is not None
    assert (await boss.post(f"{path}/redeliver")).status_code == 202
    await work_off(app)
    delivered = (await boss.get(path)).json()
    assert (delivered["status"], delivered["attempts"]) == ("succeeded", 2)
    assert (await boss.post(f"{path}/redeliver")).status_code == 202
    await work_off(app)
    ids = [request.message_id for request in receiver.received]
    assert ids == [sent["event_id"]] * 3
    [first, *_] = await session.scalars(select(Job.status).order_by(Job.id))
    assert first == "cancelled", "the try that waited is called off"


async def test_disabled_endpoint_gets_nothing_that_waits(
    app: FastAPI,
    boss: httpx2.AsyncClient,
    session: AsyncSession,
    receiver: Receiver,
    subscribe: Subscribe,
) -> None:
    endpoint = await subscribe("job.failed")
    await boss.post(f"{API}/webhooks/{endpoint['id']}/test")
    await boss.patch(f"{API}/webhooks/{endpoint['id']}", json={"is_active": False})
    await work_off(app)
    assert receiver.received == []
    assert (await newest(session)).status == "cancelled"


async def test_message_whose_job_was_cancelled_by_hand_is_settled(
    boss: httpx2.AsyncClient,
    session: AsyncSession,
    actor: Actor,
    subscribe: Subscribe,
) -> None:
    endpoint = await subscribe("job.failed")
    await boss.post(f"{API}/webhooks/{endpoint['id']}/test")
    job_id = (await newest(session)).job_id
    await boss.post(f"{API}/jobs/{job_id}/cancel")
    await WebhookUpkeepService(session, actor).settle()
    row = await newest(session)
    assert (row.status, row.error) == ("cancelled", "Its job was ended.")


async def test_old_messages_and_their_jobs_are_removed(
    app: FastAPI,
    boss: httpx2.AsyncClient,
    session: AsyncSession,
    subscribe: Subscribe,
) -> None:
    endpoint = await subscribe("job.failed")
    for _ in range(2):
        await boss.post(f"{API}/webhooks/{endpoint['id']}/test")
    await work_off(app)
    state = app.state
    resources = Resources(state.database, state.settings, state.templates)
    await keep_for_as_long_as_said(resources)
    assert await count(session, WebhookDelivery) == 2
    for table in ("webhook_deliveries", "jobs"):
        await session.execute(text(f"UPDATE {table} SET created_at = now() - interval '31 days'"))
    plan = await RetentionService(session, Actor.system(Via.JOB), state.settings).plan()
    assert [each.rows for each in plan.others if "WEBHOOK" in each.setting] == [2, 2]
    await keep_for_as_long_as_said(resources)
    assert await count(session, WebhookDelivery) == 0
    assert await count(session, Job) == 0


async def test_message_is_not_sent_when_its_secret_cannot_be_read(
    app: FastAPI,
    boss: httpx2.AsyncClient,
    session: AsyncSession,
    receiver: Receiver,
    subscribe: Subscribe,
) -> None:
    endpoint = await subscribe("job.failed")
    await boss.post(f"{API}/webhooks/{endpoint['id']}/test")
    await session.execute(update(WebhookEndpoint).values(sealed_secret=b"of another key"))
    await work_off(app)
    assert receiver.received == [], "never unsigned"
    assert "Rotate it" in (await session.scalar(select(Job.error)) or "")
