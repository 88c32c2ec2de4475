"""Lists as files: exactly what is filtered, nothing that runs, on record, never half for whole."""

import csv
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.config import Settings
from app.core.rate_limits import RateLimits
from app.models import AuditEvent, User
from app.services import exports
from tests.conftest import QueryCounter
from tests.factories.agents import make_agent
from tests.factories.api_keys import make_api_key
from tests.factories.executions import make_execution
from tests.factories.tools import make_tool

MANY = exports.FEWEST + 3  # more than are read in the first step


def table(answer: httpx2.Response) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def objects(answer: httpx2.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.text.splitlines()]


async def on_record(session: AsyncSession) -> list[tuple[str, dict[str, Any]]]:
    statement = select(AuditEvent).where(AuditEvent.action.in_(["export", "export_end"]))
    events = await session.scalars(statement.order_by(AuditEvent.id))
    return [(event.action, event.changes) for event in events]


async def test_export_of_runs_holds_all_that_the_filters_match_in_the_order_of_the_list(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor, name="bags")
    for minute in range(MANY):
        moment = f"2026-11-01T10:{minute:02}:00Z"
        kept = {"started_at": moment, "ended_at": None, "tags": ["kept"], "cost": "0.25"}
        await make_execution(session, actor, agent, **kept)
    await make_execution(session, actor, agent, tags=["other"])

    answer = await web.get("/executions/export?tag=kept&cursor=none&format=csv")

    rows = table(answer)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith('attachment; filename="executions-2')
    assert [row["started_at"] for row in rows] == [
        f"2026-11-01T10:{minute:02}:00Z" for minute in reversed(range(MANY))
    ]
    first = rows[0]
    assert (first["agent"], first["agent_id"]) == ("bags", str(agent.id))
    assert (float(first["cost"]), first["tags"]) == (0.25, '["kept"]')
    assert "input" not in first


async def test_runs_as_json_are_those_of_the_api_with_bodies_where_asked_for(
    web: httpx2.AsyncClient, api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    run = await make_execution(session, actor, await make_agent(session, actor), error='"no"\n')
    listed = (await api.get("/api/v1/executions")).json()["items"]

    plain = objects(await web.get("/executions/export?format=jsonl"))
    [full] = objects(await api.get("/api/v1/executions/export?bodies=true"))

    detail = (await api.get(f"/api/v1/executions/{run.id}")).json()
    assert plain == listed
    assert full == {name: detail[name] for name in full}
    assert full["error"] == '"no"\n'
    assert full.keys() - plain[0].keys() == {"input", "output", "error", "metadata"}


async def test_ids_choose_rows_and_what_is_no_id_chooses_none(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    runs = [await make_execution(session, actor, agent) for _ in range(3)]
    chosen = {str(run.id) for run in runs[1:]}

    rows = table(await web.get("/executions/export", params={"ids": sorted(chosen)}))
    refused = await web.get("/executions/export?ids=all&format=csv")

    assert {row["id"] for row in rows} == chosen
    assert refused.status_code == 422
    assert (await web.get("/agents/export?ids=1,x")).status_code == 422


async def test_agents_and_tools_leave_as_the_api_shows_them_and_nothing_runs(
    web: httpx2.AsyncClient, api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    tool = await make_tool(session, actor, description=" =HYPERLINK(1)")
    await make_agent(session, actor, description="-1", tool_ids=[tool.id], internal_notes="Hush")

    for stem in ("agents", "tools"):
        listed = (await api.get(f"/api/v1/{stem}")).json()["items"]
        assert objects(await web.get(f"/{stem}/export?format=jsonl")) == listed
    [agent] = table(await web.get("/agents/export"))
    [row] = table(await web.get("/tools/export?kind=function"))
    assert (agent["description"], agent["tools"], agent["live_revision"]) == ("'-1", tool.name, "1")
    assert row["description"] == "' =HYPERLINK(1)"
    assert json.loads(row["parameters"])["required"] == ["city"]
    assert not table(await web.get("/tools/export?kind=http"))


async def test_keys_leave_without_secrets_and_only_ones_own(
    web: httpx2.AsyncClient, session: AsyncSession, staff: User, superuser: User
) -> None:
    _, token = await make_api_key(session, staff)
    await make_api_key(session, superuser)

    answer = await web.get("/keys/export?everyone=1&format=jsonl")

    assert [row["user_id"] for row in objects(answer)] == [staff.id]
    assert token not in answer.text
    assert "sha256" not in answer.text


async def test_export_is_on_record_with_its_filter_and_how_it_ended(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    await make_agent(session, actor, name="found-bot", is_active=False)

    await web.get("/agents/export?is_active=false&page=1&format=jsonl")

    assert await on_record(session) == [
        ("export", {"format": [None, "jsonl"], "filter": [None, {"is_active": False}]}),
        ("export_end", {"rows": [None, 1], "outcome": [None, "complete"]}),
    ]


async def test_export_needs_a_few_queries_for_many_rows(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, counted: QueryCounter
) -> None:
    agent = await make_agent(session, actor)
    for _ in range(MANY):
        await make_execution(session, actor, agent)
    await web.get("/executions/export")
    with counted:
        await web.get("/executions/export")
    # Twice the runs and the agents' names, two records; who asks takes the others.
    assert counted.count <= 12, counted.statements


async def test_one_too_many_exports_in_a_minute_are_refused(
    web: httpx2.AsyncClient, app: FastAPI, settings: Settings
) -> None:
    few = settings.model_copy(update={"rate_limit_export_per_minute": 2})
    app.state.rate_limits = RateLimits(few)
    answers = [await web.get("/tools/export") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["retry-after"]


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """The app on a loopback socket: what ends a body shows on the wire alone."""
    config = uvicorn.Config(app, port=0, lifespan="off", log_config=None)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    yield f"http://{host}:{port}"
    await server.shutdown()


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_export_that_fails_on_the_way_is_cut_off_and_on_record(
    encoding: str, app: FastAPI, web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    for number in range(MANY):
        await make_agent(session, actor, name=f"agent-{number:02}", system_prompt="x" * 500)
    broken = text("UPDATE agents SET config = '[]' WHERE name = :name")
    await session.execute(broken, {"name": f"agent-{MANY - 1:02}"})
    session.expire_all()

    cookies = {cookie.name: str(cookie.value) for cookie in web.cookies.jar}
    headers = {"Accept-Encoding": encoding}
    async with (
        served(app) as url,
        httpx2.AsyncClient(base_url=url, cookies=cookies, headers=headers, trust_env=False) as far,
    ):
        with pytest.raises(httpx2.RemoteProtocolError, match="incomplete chunked read"):
            await far.get("/agents/export")

    [(_, _), (action, changes)] = await on_record(session)
    assert action == "export_end"
    assert changes == {"rows": [None, exports.FEWEST], "outcome": [None, "failed"]}


@pytest.mark.parametrize("resource", ["agents", "tools"])
async def test_programs_get_lists_as_files_too(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, resource: str
) -> None:
    make: Any = make_agent if resource == "agents" else make_tool
    for name in ("zebra", "apple", "other"):
        await make(session, actor, name=name)
    path = f"/api/v1/{resource}/export"
    assert [row["name"] for row in objects(await api.get(path))] == ["apple", "other", "zebra"]
    found = await api.get(path, params={"q": "zebra", "format": "csv"})
    assert found.headers["content-type"].startswith("text/csv")
    assert [row["name"] for row in csv.DictReader(found.text.splitlines())] == ["zebra"]
    for odd in ({"page": "2"}, {"sort": "model"}):
        assert (await api.get(path, params=odd)).status_code == 422


async def test_ticked_rows_leave_alone_or_all_that_match_with_them(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    ids = [(await make_agent(session, actor, name=f"agent-{n}")).id for n in range(3)]
    await make_agent(session, actor, name="apart", model="gpt-5")
    page = (await web.get("/agents?model=gpt-4o")).text
    assert 'formaction="/agents/export"' in page
    sent = {"resource": "agents", "filter": '{"model":"gpt-4o"}', "format": "jsonl"}
    ticked = await web.get("/agents/export", params=sent | {"ids": ids[:2]})
    assert {row["id"] for row in objects(ticked)} == set(ids[:2])
    matching = await web.get("/agents/export", params=sent | {"ids": ids[:2], "rows": "matching"})
    assert {row["id"] for row in objects(matching)} == set(ids)
    odd = await web.get("/agents/export", params=sent | {"rows": "matching", "filter": '{"a":1}'})
    assert odd.status_code == 422
