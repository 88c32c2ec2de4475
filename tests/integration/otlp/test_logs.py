"""GenAI events that come as logs are events of their spans, whichever comes first."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import permutations
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.database import Database
from app.core.permissions import Role
from app.exceptions import Unavailable
from app.models import IngestBatch, SpanLog, User
from app.services.ingest_batches import Sent
from app.services.ingestion.otlp import JSON, PROTOBUF
from app.services.ingestion.otlp.checks import MAX_EVENTS
from app.services.ingestion.otlp.logs import decode_logs
from app.services.ingestion.prepared import prepare, prepare_logs
from app.services.ingestion.queue import IngestQueue
from app.services.ingestion.wire import Decoded
from tests.conftest import actor_for, client_of
from tests.factories.agents import make_agent
from tests.factories.api_keys import make_api_key
from tests.factories.clients import key_headers
from tests.factories.ingest_batches import make_ingest_batch
from tests.factories.users import make_user
from tests.integration.otlp.test_convergence import MODEL, OPEN, TRACE, agent, send, usage
from tests.otlp.logs import encoded_logs, make_log
from tests.otlp.requests import as_json, make_span
from tests.otlp.state import state_of

ROOT = make_span(1, attributes=agent("planner"))
CALL = make_span(2, parent=1, attributes=MODEL | usage(10, 5))
QUESTION = make_log("gen_ai.user.message", {"content": "Where is it?"}, span=2, after=2)
INSTRUCTION = make_log("gen_ai.system.message", {"content": "Be brief."}, span=2, after=1)
LOOKING: dict[str, Any] = {
    "role": "assistant",
    "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{}"}}
    ],
}
CALLED = make_log("gen_ai.assistant.message", LOOKING, span=2, after=3)
FOUND = make_log("gen_ai.tool.message", {"id": "c1", "content": "in B2"}, span=2, after=4)
ANSWER = make_log(
    "gen_ai.choice",
    {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "In B2."}},
    span=2,
    after=5,
)
LOGS = [INSTRUCTION, QUESTION, CALLED, FOUND, ANSWER]


async def tell(
    client: httpx2.AsyncClient, records: list[dict[str, Any]], media_type: str = JSON
) -> httpx2.Response:
    answer = await client.post("/v1/logs", **encoded_logs(records, media_type))
    assert answer.status_code == 200, answer.text
    return answer


def roles(messages: list[dict[str, Any]]) -> list[str]:
    return [message["role"] for message in messages]


async def test_messages_are_the_spans_in_any_order_and_however_often(
    sender: httpx2.AsyncClient, session: AsyncSession
) -> None:
    steps: list[Callable[[], Awaitable[object]]] = [
        lambda: send(sender, [ROOT, CALL], PROTOBUF),
        lambda: tell(sender, [ANSWER, QUESTION], PROTOBUF),
        lambda: tell(sender, [CALLED, FOUND, INSTRUCTION], JSON),
    ]
    wanted = None
    for order in permutations(steps):
        for step in (*order, *order[:2]):
            await step()
        state = await state_of(session, [ROOT.trace_id])
        wanted = wanted or state
        assert state == wanted
        await session.execute(text("DELETE FROM executions"))
        assert await session.scalar(select(func.count()).select_from(SpanLog)) == 0
    assert wanted is not None
    (run,), (_, call) = wanted
    assert roles(call["body"]["input"]) == ["system", "user", "assistant", "tool"]
    assert call["body"]["input"][3]["tool_call_id"] == "c1"
    assert [m["content"] for m in call["body"]["output"]] == ["In B2."]
    assert run["preview"] == "Where is it?"
    assert run["output"] == call["body"]["output"]


@pytest.mark.parametrize("media_type", [PROTOBUF, JSON])
async def test_details_of_an_operation_fill_in_what_the_span_does_not_say(
    sender: httpx2.AsyncClient, session: AsyncSession, media_type: str
) -> None:
    details = make_log(
        "gen_ai.client.inference.operation.details",
        span=2,
        gen_ai__input__messages=[
            {"role": "user", "parts": [{"type": "text", "content": "Where is it?"}]}
        ],
        gen_ai__output__messages=[
            {"role": "assistant", "parts": [{"type": "text", "content": "In B2."}]}
        ],
        gen_ai__usage__input_tokens=99,
        gen_ai__conversation__id="c-7",
    )
    await tell(sender, [details], media_type)
    await send(sender, [CALL, ROOT], media_type)
    (run,), (_, call) = await state_of(session, [ROOT.trace_id])
    assert call["body"]["input"] == [{"role": "user", "content": "Where is it?"}]
    assert call["body"]["output"] == [{"role": "assistant", "content": "In B2."}]
    assert run["input_tokens"] == 10, "the span's own attributes go first"


async def test_a_later_end_of_the_span_keeps_what_logs_said_of_it(
    sender: httpx2.AsyncClient, session: AsyncSession
) -> None:
    await send(sender, [OPEN[1]], JSON)
    await tell(sender, [QUESTION])
    await send(sender, [TRACE[0], CALL], JSON)
    await send(sender, [OPEN[1]], JSON)
    _, (_, call) = await state_of(session, [ROOT.trace_id])
    assert call["body"]["input"] == [{"role": "user", "content": "Where is it?"}]
    assert call["span"]["end_ns"] == CALL.end_ns


async def test_span_that_is_sent_again_by_hand_has_what_logs_said_meanwhile(
    sender: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    await tell(sender, [QUESTION])
    batch = await make_ingest_batch(session, actor_for(staff), (as_json([CALL]),))
    await sender.post(f"/api/v1/ingest-batches/{batch.id}/replay")
    _, (call,) = await state_of(session, [ROOT.trace_id])
    assert call["body"]["input"] == [{"role": "user", "content": "Where is it?"}]


async def test_other_logs_are_counted_and_not_kept(
    sender: httpx2.AsyncClient, session: AsyncSession
) -> None:
    nameless = QUESTION | {"eventName": ""}
    named = make_log("", {"content": "Named by an attribute."}, event__name="gen_ai.user.message")
    answer = await tell(sender, [make_log("app.started", "hello"), nameless, named])
    said = answer.json()["partialSuccess"]
    assert said["rejectedLogRecords"] == "2"
    assert "GenAI events" in said["errorMessage"]
    (batch,) = await session.scalars(select(IngestBatch))
    assert (batch.span_count, batch.event_count) == (0, 1)
    assert answer.headers["X-Greenroom-Batch"] == str(batch.id)
    only_others = await tell(sender, [nameless], PROTOBUF)
    assert "X-Greenroom-Batch" not in only_others.headers
    assert (await tell(sender, [named])).json() == {}


OF_THE_RUN = [QUESTION | {"spanId": ""}, ANSWER | {"spanId": "0" * 16}]


async def test_events_that_name_no_span_are_the_roots_in_any_order_and_however_often(
    sender: httpx2.AsyncClient, session: AsyncSession
) -> None:
    steps: list[Callable[[], Awaitable[object]]] = [
        lambda: send(sender, [ROOT], PROTOBUF),
        lambda: tell(sender, OF_THE_RUN[:1], PROTOBUF),
        lambda: tell(sender, OF_THE_RUN[1:], JSON),
        lambda: send(sender, [CALL], JSON),
    ]
    wanted = None
    for order in (steps, steps[::-1], steps[1:] + steps[:1]):
        for step in (*order, *order[:3]):
            await step()
        state = await state_of(session, [ROOT.trace_id])
        wanted = wanted or state
        assert state == wanted
        await session.execute(text("DELETE FROM executions"))
        assert await session.scalar(select(func.count()).select_from(SpanLog)) == 0
    assert wanted is not None
    (run,), (root, call) = wanted
    assert (run["preview"], root["body"]["output"][0]["content"]) == ("Where is it?", "In B2.")
    assert call["body"]["input"] is None


async def test_event_without_a_trace_id_is_kept_as_rejected_with_the_reason(
    sender: httpx2.AsyncClient, web: httpx2.AsyncClient
) -> None:
    answer = await tell(sender, [QUESTION | {"traceId": ""}])
    assert answer.json()["partialSuccess"]["errorMessage"].startswith("This event has no trace id")
    batch = answer.headers["X-Greenroom-Batch"]
    (kept,) = (await sender.get(f"/api/v1/ingest-batches/{batch}/rejected")).json()["items"]
    assert (kept["name"], kept["sendable_at"]) == ("gen_ai.user.message", None)
    assert (await sender.post(f"/api/v1/ingest-batches/{batch}/replay")).status_code == 409
    page = (await web.get(f"/ingest/{batch}")).text
    assert "This event has no trace id" in page
    assert "Where is it?" in page
    assert "again</button>" not in page


async def test_events_of_a_run_in_the_trash_are_sent_again_when_it_is_restored(
    sender: httpx2.AsyncClient,
) -> None:
    await send(sender, [ROOT, CALL], JSON)
    (run,) = (await sender.get("/api/v1/executions")).json()["items"]
    path = f"/api/v1/executions/{run['id']}"
    deleted = await sender.delete(path, headers={"If-Match": f'"{run["row_version"]}"'})
    assert deleted.status_code == 204, deleted.text
    answer = await tell(sender, [QUESTION])
    replay = f"/api/v1/ingest-batches/{answer.headers['X-Greenroom-Batch']}/replay"
    again = (await sender.post(replay)).json()
    assert (again["stored"], "in the trash" in again["message"]) == (0, True)
    assert (await sender.post(f"{path}/restore")).status_code == 200
    assert (await sender.post(replay)).json()["stored"] == 1
    assert [m["content"] for m in (await said_in(sender))[0]] == ["Where is it?"]


async def said_in(client: httpx2.AsyncClient) -> tuple[Any, Any]:
    """Input and output of the call, in the only run of the trace that this client sees."""
    found = await client.get("/api/v1/executions", params={"q": ROOT.trace_id.hex()})
    [run] = found.json()["items"]
    spans = (await client.get(f"/api/v1/executions/{run['id']}/trace")).json()["spans"]
    [call] = [span for span in spans if span["span_id"] == CALL.span_id.hex()]
    return call.get("input"), call.get("output")


async def test_nobody_puts_words_into_the_runs_of_others(
    app: Any, client: httpx2.AsyncClient, session: AsyncSession, member: User
) -> None:
    client.headers.update(await key_headers(session, member))
    theirs = await key_headers(session, await make_user(session, Role.MEMBER))
    async with client_of(app, headers=theirs) as other:
        await tell(client, [QUESTION])  # before there is a run
        await send(other, [ROOT, CALL], JSON)
        assert (await tell(client, [ANSWER])).json() == {}  # which says nothing of the other's run
        assert await said_in(other) == (None, None)
        await send(client, [ROOT, CALL], JSON)
        asked, answered = await said_in(client)
        assert ([m["content"] for m in asked], answered[0]["content"]) == (
            ["Where is it?"],
            "In B2.",
        )
        await tell(client, [INSTRUCTION])
        await tell(other, [FOUND])
        assert roles((await said_in(client))[0]) == ["system", "user"]
        assert roles((await said_in(other))[0]) == ["tool"]


async def test_who_sees_all_rows_tells_of_the_run_that_was_first(
    app: Any, client: httpx2.AsyncClient, session: AsyncSession, member: User, staff: User
) -> None:
    client.headers.update(await key_headers(session, member))
    theirs = await key_headers(session, await make_user(session, Role.MEMBER))
    async with (
        client_of(app, headers=theirs) as first,
        client_of(app, headers=await key_headers(session, staff)) as seer,
    ):
        await send(first, [ROOT], JSON)
        await tell(seer, [QUESTION])
        await send(client, [ROOT, CALL], JSON)
        assert await said_in(client) == (None, None)
        await send(first, [CALL], JSON)
        assert roles((await said_in(first))[0]) == ["user"]


async def test_many_logs_of_others_leave_room_for_those_of_the_owner(
    app: Any, client: httpx2.AsyncClient, session: AsyncSession, member: User
) -> None:
    client.headers.update(await key_headers(session, member))
    theirs = await key_headers(session, await make_user(session, Role.MEMBER))
    async with client_of(app, headers=theirs) as other:
        early = [INSTRUCTION | {"timeUnixNano": str(n + 1)} for n in range(MAX_EVENTS)]
        await tell(other, early)
        await send(client, [ROOT, CALL], JSON)
        await tell(client, [QUESTION])
        assert roles((await said_in(client))[0]) == ["user"]


async def test_key_of_one_agent_tells_of_that_agents_runs_only(
    app: Any, client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    agent_of_key = await make_agent(session, actor_for(staff))
    _, token = await make_api_key(session, staff, agent=agent_of_key)
    async with client_of(app, headers={"X-API-Key": token}) as limited:
        await tell(limited, [QUESTION])
    client.headers.update(await key_headers(session, staff))
    await send(client, [ROOT, CALL], JSON)
    await tell(client, [ANSWER])
    _, (_, call) = await state_of(session, [ROOT.trace_id])
    assert call["body"]["input"] is None
    assert [m["content"] for m in call["body"]["output"]] == ["In B2."]


async def test_secrets_in_logs_are_dropped_at_the_door(
    sender: httpx2.AsyncClient, session: AsyncSession
) -> None:
    told = {"content": "Hello.", "headers": {"authorization": "canary-1"}}
    await tell(sender, [make_log("gen_ai.user.message", told, span=2, api_key="canary-2")])
    await send(sender, [ROOT, CALL], JSON)
    kept = await session.scalar(text("SELECT string_agg(to_jsonb(l)::text, '') FROM span_logs l"))
    assert "Hello." in (kept or "")
    assert "canary" not in (kept or "")
    assert "canary" not in str(await state_of(session, [ROOT.trace_id]))


def sent(actor: Actor, trace: int) -> tuple[Sent, Sent]:
    """A span and a log that tells of it, a request each."""
    span = make_span(1, trace=trace, attributes=MODEL)
    record = make_log("gen_ai.user.message", {"content": "Where?"}, trace=trace)
    log = prepare_logs(decode_logs(encoded_logs([record], JSON)["content"], True).kept)
    prepared = prepare(Decoded([span], []), lambda *_: None)
    return Sent(actor, prepared, JSON, 1), Sent(actor, log, JSON, 1)


async def told(database: Database) -> int:
    """How many spans have what their log says."""
    query = text("SELECT count(*) FROM span_bodies WHERE events::text LIKE '%Where?%'")
    async with database.unit_of_work() as session:
        return await session.scalar(query) or 0


async def make_actor(database: Database) -> Actor:
    async with database.unit_of_work() as session:
        return actor_for(await make_user(session, role=Role.STAFF))


async def test_span_and_log_that_two_processes_take_at_once_find_each_other(
    own_database: Database,
) -> None:
    actor = await make_actor(own_database)
    spans_here, logs_here = (IngestQueue(own_database, 1_000_000) for _ in range(2))
    for trace in range(1, 31):
        span, log = sent(actor, trace)
        await asyncio.gather(spans_here.submit(span), logs_here.submit(log))
    assert await told(own_database) == 30


async def test_log_that_cannot_be_given_to_its_span_for_now_is_to_be_sent_again(
    own_database: Database,
) -> None:
    actor = await make_actor(own_database)
    queue = IngestQueue(own_database, 1_000_000)
    span, log = sent(actor, 1)
    await queue.submit(span)
    async with own_database.unit_of_work() as busy:
        await busy.execute(text("SELECT FROM executions FOR UPDATE"))
        with pytest.raises(Unavailable):
            await queue.submit(log)
    assert await told(own_database) == 0
    await queue.submit(log)
    assert await told(own_database) == 1
