"""What is done a while after spans have arrived."""

from datetime import timedelta

import httpx2
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor, Via
from app.models import User
from app.models.spans import SpanStatus
from app.services.ingestion.gathering import WordService
from app.services.ingestion.otlp import JSON
from app.services.upkeep import UpkeepService
from tests.factories.clients import key_headers
from tests.integration.otlp.test_convergence import OPEN, TRACE, agent, said, send
from tests.otlp.logs import encoded_logs, make_log
from tests.otlp.requests import make_span

SYSTEM = Actor.system(Via.JOB)
MODEL = {"gen_ai.operation.name": "chat"}


async def found(client: httpx2.AsyncClient, word: str) -> int:
    return len((await client.get(f"/api/v1/executions?q={word}")).json()["items"])


async def test_runs_are_found_by_what_any_of_their_steps_said(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    client.headers.update(await key_headers(session, staff))
    await send(client, [make_span(1, attributes=said("zebra"))], JSON)
    assert await WordService(session, SYSTEM).gather() == 1
    assert await found(client, "zebra") == 1
    await send(client, [make_span(2, parent=1, attributes=MODEL | said("walrus"))], JSON)
    assert await WordService(session, SYSTEM).gather() == 1
    assert (await found(client, "walrus"), await found(client, "zebra")) == (1, 1)
    assert await WordService(session, SYSTEM).gather() == 0


async def silence(session: AsyncSession) -> list[str]:
    """Nothing is heard for long: the statuses of all runs after the next look."""
    await session.execute(text("UPDATE executions SET updated_at = now() - interval '2 hours'"))
    await UpkeepService(session, SYSTEM).mark_stalled(timedelta(hours=1))
    rows = await session.execute(text("SELECT status FROM executions ORDER BY id"))
    return [row[0] for row in rows]


async def test_silent_runs_are_stalled_and_live_again_when_more_of_them_comes(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    client.headers.update(await key_headers(session, staff))
    await send(client, [OPEN[0], TRACE[1]], JSON)
    assert await silence(session) == ["stalled"]
    await send(client, [TRACE[2]], JSON)
    runs = (await client.get("/api/v1/executions")).json()["items"]
    assert [run["status"] for run in runs] == ["running"]
    await send(client, [TRACE[0]], JSON)
    runs = (await client.get("/api/v1/executions")).json()["items"]
    assert [run["status"] for run in runs] == ["succeeded"]


async def test_a_trace_whose_root_never_comes_ends_as_its_earliest_span(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    client.headers.update(await key_headers(session, staff))
    lost = make_span(3, trace=2, parent=2, status=SpanStatus.ERROR)
    await send(client, [TRACE[1], lost, make_span(4, trace=2, parent=3)], JSON)
    assert sorted(await silence(session)) == ["failed", "succeeded"]
    runs = (await client.get("/api/v1/executions")).json()["items"]
    assert all(run["latency_ms"] for run in runs)


async def test_drafts_that_no_run_belongs_to_any_more_are_dropped(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    client.headers.update(await key_headers(session, staff))
    await send(client, [TRACE[1]], JSON)  # says the name of its service only
    await send(client, [make_span(1, attributes=agent("planner"))], JSON)
    await session.execute(text("UPDATE agents SET created_at = now() - interval '2 hours'"))
    assert await UpkeepService(session, SYSTEM).drop_empty_drafts() == 1
    agents = (await client.get("/api/v1/agents")).json()["items"]
    assert [each["name"] for each in agents] == ["planner"]


async def test_logs_whose_span_never_came_go_after_a_while(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    client.headers.update(await key_headers(session, staff))
    for trace in (1, 2):
        record = make_log("gen_ai.choice", {"message": {"content": "x"}}, trace=trace)
        await client.post("/v1/logs", **encoded_logs([record], JSON))
    aged = "UPDATE span_logs SET created_at = now() - interval '8 days' WHERE trace_id = :trace"
    await session.execute(text(aged), {"trace": (1).to_bytes(16, "big")})
    upkeep = UpkeepService(session, SYSTEM)
    assert await upkeep.remove_logs(timedelta(days=7)) == 1
    assert await session.scalar(text("SELECT count(*) FROM span_logs")) == 1
