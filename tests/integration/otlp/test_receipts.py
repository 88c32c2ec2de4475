"""Receipts of what arrived, and refused spans that are sent again."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor, Via
from app.core.config import Settings
from app.core.database import Database
from app.core.permissions import Role
from app.exceptions import NotFound
from app.models import AuditEvent, RejectedSpan, User
from app.services.ingestion.otlp import JSON
from app.services.ingestion.queue import REFUSED, IngestQueue
from app.services.rejected_spans import RejectedSpanService, replay_in_turn
from app.services.retention_rules import BATCHES as BATCHES_RULE
from app.services.retention_work import RetentionWork
from tests.conftest import QueryCounter, actor_for
from tests.factories.agents import make_agent
from tests.factories.api_keys import make_api_key
from tests.factories.clients import key_headers
from tests.factories.ingest_batches import UNREADABLE, good_request, make_ingest_batch
from tests.factories.users import make_user
from tests.integration.otlp.test_convergence import send
from tests.otlp.refusing import refuse_spans
from tests.otlp.requests import as_json, make_span

BATCHES = "/api/v1/ingest-batches"
EFFECTS = text("""
SELECT (SELECT count(*) FROM spans), (SELECT count(*) FROM rejected_spans),
       (SELECT rejected_count FROM ingest_batches),
       (SELECT count(*) FROM audit_events WHERE action = 'replay')
""")


async def test_request_has_a_receipt_under_its_key(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    key, token = await make_api_key(session, staff)
    client.headers["X-API-Key"] = token
    await send(client, [make_span(1)], JSON)
    listed = (await client.get(f"{BATCHES}?api_key_id={key.id}&rejected=false")).json()["items"]
    assert [(b["span_count"], b["rejected_count"], b["execution_count"]) for b in listed] == [
        (1, 0, 1)
    ]
    assert (await client.get(f"{BATCHES}/{listed[0]['id']}")).json() == listed[0]
    assert (await client.get(f"{BATCHES}?rejected=true")).json()["items"] == []


async def test_replay_stores_what_can_be_stored_and_keeps_the_rest_with_the_new_reason(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    batch = await make_ingest_batch(session, actor, (good_request(), UNREADABLE))
    answer = (await api.post(f"{BATCHES}/{batch.id}/replay")).json()
    assert (answer["stored"], answer["refused"], answer["left"]) == (1, 1, 1)
    (left,) = (await api.get(f"{BATCHES}/{batch.id}/rejected")).json()["items"]
    assert left["request"] == UNREADABLE
    assert left["reason"] == answer["message"] != "Its time is over."
    (run,) = (await api.get("/api/v1/executions?source=otlp")).json()["items"]
    assert run["trace_id"] == f"{77:032x}"
    assert (await api.get(f"{BATCHES}/{batch.id}")).json()["rejected_count"] == 1
    newest = select(AuditEvent).where(AuditEvent.action == "replay")
    event = (await session.scalars(newest)).one()
    assert event.changes["rejected_count"] == [2, 1]


async def test_replay_of_others_spans_goes_to_runs_of_whoever_sent_them(
    api: httpx2.AsyncClient, session: AsyncSession
) -> None:
    await send(api, [make_span(1, trace=77)], JSON)
    sender = actor_for(await make_user(session, Role.MEMBER))
    batch = await make_ingest_batch(session, sender, (good_request(2, trace=77),))
    assert (await api.post(f"{BATCHES}/{batch.id}/replay")).json()["stored"] == 1
    runs = (await api.get("/api/v1/executions?source=otlp")).json()["items"]
    details = [(await api.get(f"/api/v1/executions/{run['id']}")).json() for run in runs]
    assert [detail["span_count"] for detail in details] == [1, 1]
    assert len({detail["agent_id"] for detail in details}) == 2


async def test_replay_of_a_key_of_one_agent_stays_with_that_agent(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, staff: User
) -> None:
    agent = await make_agent(session, actor)
    key, _ = await make_api_key(session, staff, agent=agent)
    batch = await make_ingest_batch(session, actor, api_key_id=key.id)
    assert (await api.post(f"{BATCHES}/{batch.id}/replay")).json()["stored"] == 1
    (run,) = (await api.get("/api/v1/executions?source=otlp")).json()["items"]
    assert run["agent_id"] == agent.id


async def test_one_rejected_span_is_sent_again_and_then_is_there_no_more(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    batch = await make_ingest_batch(session, actor, (good_request(1), good_request(2)))
    ids = list(await session.scalars(select(RejectedSpan.id).order_by(RejectedSpan.id)))
    path = f"{BATCHES}/{batch.id}/replay"
    assert (await api.post(path, json={"ids": ids[:1]})).json()["left"] == 1
    assert (await api.post(path, json={"ids": ids[:1]})).status_code == 404
    assert (await api.post(path)).json()["left"] == 0
    assert (await api.post(path)).status_code == 409


async def test_those_that_were_refused_again_wait_behind_the_others(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    unbearable = as_json([make_span(2, trace=77, name="unbearable")])
    batch = await make_ingest_batch(session, actor, (unbearable, good_request()))
    await refuse_spans(session)
    monkeypatch.setattr("app.services.rejected_spans.REPLAYED_AT_ONCE", 1)
    path = f"{BATCHES}/{batch.id}/replay"
    assert [(await api.post(path)).json()["stored"] for _ in range(2)] == [0, 1]


async def test_span_from_the_future_is_sent_again_when_its_time_has_come(
    web: httpx2.AsyncClient, api: httpx2.AsyncClient
) -> None:
    start_ns = int((datetime.now(UTC) + timedelta(days=3)).timestamp()) * 10**9
    answer = await api.post("/v1/traces", json=as_json([make_span(1, start_ns=start_ns)]))
    path = f"{BATCHES}/{answer.headers['X-Greenroom-Batch']}"
    (kept,) = (await api.get(f"{path}/rejected")).json()["items"]
    sendable_at = datetime.fromisoformat(kept["sendable_at"])
    assert sendable_at - datetime.now(UTC) > timedelta(days=1)
    assert (await api.post(f"{path}/replay")).status_code == 409
    page = (await web.get(f"/ingest/{kept['batch_id']}")).text
    assert "It can be sent again from" in page
    assert "again</button>" not in page


async def test_members_and_keys_of_one_agent_see_their_own_batches_only(
    client: httpx2.AsyncClient, session: AsyncSession, actor: Actor, member: User
) -> None:
    foreign = await make_ingest_batch(session, actor)
    own = await make_ingest_batch(session, actor_for(member))
    client.headers.update(await key_headers(session, member))
    assert [b["id"] for b in (await client.get(BATCHES)).json()["items"]] == [own.id]
    for path in ("", "/rejected"):
        assert (await client.get(f"{BATCHES}/{foreign.id}{path}")).status_code == 404
    assert (await client.post(f"{BATCHES}/{foreign.id}/replay")).status_code == 404


async def test_list_needs_as_many_queries_for_many_batches_as_for_one(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, counted: QueryCounter
) -> None:
    await make_ingest_batch(session, actor)
    await api.get(BATCHES)
    with counted:
        await api.get(BATCHES)
    few = counted.count
    for _ in range(12):
        await make_ingest_batch(session, actor)
    counted.statements.clear()
    with counted:
        assert len((await api.get(BATCHES)).json()["items"]) == 13
    assert counted.count == few


async def test_old_receipts_are_removed_with_their_rejected_spans(
    session: AsyncSession, actor: Actor, settings: Settings
) -> None:
    old, _ = await make_ingest_batch(session, actor), await make_ingest_batch(session, actor)
    aged = text("UPDATE ingest_batches SET created_at = now() - interval '8 days' WHERE id = :id")
    await session.execute(aged, {"id": old.id})
    assert await RetentionWork(session, Actor.system(Via.JOB), settings).remove(BATCHES_RULE) == 1
    assert await session.scalar(select(func.count()).select_from(RejectedSpan)) == 1


async def test_span_that_the_database_refuses_again_stays_with_that_reason(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    unbearable = as_json([make_span(2, trace=77, name="unbearable")])
    batch = await make_ingest_batch(session, actor, (unbearable, good_request()))
    await refuse_spans(session)
    answer = (await api.post(f"{BATCHES}/{batch.id}/replay")).json()
    assert (answer["stored"], answer["refused"], answer["left"]) == (1, 1, 1)
    (left,) = (await api.get(f"{BATCHES}/{batch.id}/rejected")).json()["items"]
    assert (left["request"], left["reason"]) == (unbearable, REFUSED)
    (run,) = (await api.get("/api/v1/executions?source=otlp")).json()["items"]
    assert run["span_count"] == 1


async def test_replay_waits_outside_while_too_much_is_on_its_way_in(
    api: httpx2.AsyncClient, app: FastAPI, session: AsyncSession, actor: Actor
) -> None:
    batch = await make_ingest_batch(session, actor)
    queue: IngestQueue = app.state.ingest_queue
    with queue.admit(app.state.settings.otlp_max_body_bytes):
        refused = await api.post(f"{BATCHES}/{batch.id}/replay")
    assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
    assert (await api.post(f"{BATCHES}/{batch.id}/replay")).json()["stored"] == 1


async def test_replay_takes_as_many_spans_as_fit_into_memory(
    api: httpx2.AsyncClient,
    session: AsyncSession,
    actor: Actor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch = await make_ingest_batch(session, actor, tuple(good_request(n) for n in range(1, 4)))
    size = len(json.dumps(good_request(1)))
    monkeypatch.setattr("app.services.rejected_spans.MAX_BYTES", 2 * size + size // 2)
    path = f"{BATCHES}/{batch.id}/replay"
    assert [(await api.post(path)).json()["left"] for _ in range(2)] == [1, 0]


async def test_two_replays_at_once_have_one_effect(own_database: Database) -> None:
    async with own_database.unit_of_work() as session:
        actor = actor_for(await make_user(session, role=Role.STAFF))
        batch = await make_ingest_batch(session, actor)

    async def replay() -> int | str:
        queue = IngestQueue(own_database, 1_000_000)  # of a process each
        async with own_database.unit_of_work() as session:
            spans = RejectedSpanService(session, actor)
            try:
                return (await replay_in_turn(queue, spans, batch.id)).stored
            except NotFound as error:
                return error.message

    one, other = sorted(await asyncio.gather(replay(), replay()), key=str)
    assert (one, "sent again already" in str(other)) == (1, True)
    async with own_database.unit_of_work() as session:
        told = (await session.execute(EFFECTS)).one()
    assert tuple(told) == (1, 0, 0, 1)
