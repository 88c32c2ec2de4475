"""One trace may run through agents of several owners: each has their part, and sees no other."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import httpx2
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import Database
from app.core.permissions import Role
from app.main import create_app
from app.models import User
from app.services.ingestion.otlp import JSON
from tests.conftest import actor_for, client_of, settings_for
from tests.factories.agents import make_agent
from tests.factories.clients import key_headers
from tests.factories.users import make_user
from tests.integration.envelope import assert_envelope
from tests.otlp.requests import encoded, make_span

RUNS = "/api/v1/executions"
TRACE = f"{1:032x}"


async def two_members(session: AsyncSession) -> list[User]:
    return [await make_user(session, Role.MEMBER) for _ in range(2)]


def spoken(text: str) -> dict[str, Any]:
    """The same span of the same trace, that says this."""
    asked = f'[{{"role":"user","parts":[{{"type":"text","content":"{text}"}}]}}]'
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": asked}
    return encoded([make_span(1, attributes=attributes)], JSON)


async def runs_of(client: httpx2.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get(RUNS, params={"q": TRACE})).json()["items"]
    return found


async def test_spans_of_one_trace_stay_with_their_owners(
    app: FastAPI, session: AsyncSession
) -> None:
    seen = []
    for user, text in zip(await two_members(session), ("Rome", "Oslo"), strict=True):
        async with client_of(app, headers=await key_headers(session, user)) as client:
            for _ in range(2):  # sent again, it adds nothing
                request = spoken(text)
                request["headers"] |= client.headers
                answer = await client.post("/v1/traces", **request)
                assert (answer.status_code, answer.json()) == (200, {})
            [run] = await runs_of(client)
            assert (run["trace_id"], run["span_count"], run["preview"]) == (TRACE, 1, text)
            exported = (await client.get(f"{RUNS}/{run['id']}/otlp")).json()
            [span] = exported["resourceSpans"][0]["scopeSpans"][0]["spans"]
            assert span["traceId"] == TRACE
            seen.append((client.headers["x-api-key"], run))
    for key, run in seen:  # neither has changed what the other has
        trace = f"{RUNS}/{run['id']}/trace"
        async with client_of(app, headers={"X-API-Key": key}) as client:
            found = (await client.get(trace)).json()
            assert found["execution"] == run
            assert run["preview"] in str(found["spans"][0]["input"])


async def test_report_says_nothing_of_a_run_that_its_sender_may_not_see(
    app: FastAPI, session: AsyncSession
) -> None:
    answers = []
    for user in await two_members(session):
        agent = await make_agent(session, actor_for(user), name="shared")
        data = {"agent": agent.name, "trace_id": TRACE, "output": user.full_name}
        async with client_of(app, headers=await key_headers(session, user)) as client:
            first = await client.post(RUNS, json=data)
            again = await client.post(RUNS, json=data)
            assert (first.status_code, again.status_code) == (201, 200)
            assert first.json() == again.json()
            other = await client.post(RUNS, json=data | {"output": "Something else."})
            assert_envelope(other, 409, "CONFLICT")
            request = spoken("more")
            request["headers"] |= client.headers
            assert (await client.post("/v1/traces", **request)).json() == {}
            [run] = await runs_of(client)
            assert (run["id"], run["span_count"]) == (first.json()["id"], 1)
            answers.append(first.json())
    one, two = answers
    assert one["id"] != two["id"]
    assert one["trace_id"] == two["trace_id"] == TRACE


async def test_key_of_one_agent_has_its_own_run_of_a_trace(
    app: FastAPI, session: AsyncSession, member: User
) -> None:
    ids = set()
    for _ in range(2):
        agent = await make_agent(session, actor_for(member))
        headers = await key_headers(session, member, agent=agent)
        async with client_of(app, headers=headers) as client:
            request = spoken("Rome")
            request["headers"] |= headers
            assert (await client.post("/v1/traces", **request)).json() == {}
            [run] = await runs_of(client)
            assert run["agent_id"] == agent.id
            ids.add(run["id"])
    assert len(ids) == 2
    async with client_of(app, headers=await key_headers(session, member)) as client:
        assert {run["id"] for run in await runs_of(client)} == ids


async def test_parts_of_two_owners_that_come_at_once_are_two_runs(own_database: Database) -> None:
    url = own_database.engine.url.render_as_string(hide_password=False)
    app = create_app(settings_for(url), own_database)
    async with own_database.unit_of_work() as session:
        keys = [await key_headers(session, user) for user in await two_members(session)]
    async with AsyncExitStack() as open_clients:
        clients = [
            await open_clients.enter_async_context(client_of(app, headers=key)) for key in keys
        ]
        parts = []
        for number in range(6):
            request = encoded([make_span(number + 1, trace=1)], JSON)
            client = clients[number % 2]
            request["headers"] |= client.headers
            parts.append(client.post("/v1/traces", **request))
        answers = await asyncio.gather(*parts)
        assert {(answer.status_code, answer.text) for answer in answers} == {(200, "{}")}
        for client in clients:
            [run] = await runs_of(client)
            assert (run["trace_id"], run["span_count"]) == (TRACE, 3)
    await app.state.ingest_queue.stop()
