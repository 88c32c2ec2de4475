"""Tools of kind http are called under the guard, with their secrets, and never tell those."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from app.core.outbound import Outbound
from tests.conftest import client_of
from tests.factories.clients import log_in
from tests.factories.users import make_user
from tests.loopback import LoopbackServer
from tests.provider import Provider, calls, says
from tests.stage import Json, Stage

SECRET = "Bearer tool-secret-canary"
heard: list[tuple[str, str, dict[str, str], str]] = []


async def answer(request: Request) -> Response:
    body = (await request.body()).decode()
    heard.append((request.method, str(request.url.path), dict(request.headers), body))
    if "broken" in request.url.path:
        return JSONResponse({"reason": "out of order"}, 500)
    if "away" in request.url.path:
        return RedirectResponse("http://169.254.169.254/latest/meta-data/")
    return JSONResponse({"belt": 7})


@pytest.fixture(scope="module")
def tool_server() -> Iterator[LoopbackServer]:
    routes = [Route("/{path:path}", answer, methods=["GET", "POST", "DELETE"])]
    with LoopbackServer(Starlette(routes=routes)) as server:
        yield server


@pytest.fixture(autouse=True)
def nothing_heard() -> None:
    heard.clear()


def http_tool(url: str, method: str = "POST", **values: Any) -> Json:
    endpoint = {"url": url, "method": method}
    return {"name": "find_bag", "kind": "http", "endpoint": endpoint} | values


async def set_headers(stage: Stage, **headers: str) -> None:
    path = f"/api/v1/tools/{stage.tools[0].id}/headers"
    response = await stage.api.put(path, json={"headers": headers})
    assert response.status_code == 200, response.text


async def run_with(stage: Stage, provider: Provider, **arguments: Any) -> tuple[Json, Json]:
    """The run that calls the tool once, and the span of that call."""
    provider.will(calls(("find_bag", {"city": "Rome"} | arguments)), says("Done."))
    last = (await stage.stream())[-1][1]
    spans = await stage.spans(last["id"])
    return last, next(span for span in spans if span["kind"] == "tool")


async def test_tool_is_called_with_its_arguments_and_headers(
    stage: Stage, provider: Provider, tool_server: LoopbackServer
) -> None:
    await stage.new_agent(http_tool(f"{tool_server.url}/bags/{{city}}", "GET"))
    await set_headers(stage, Authorization=SECRET)
    run, span = await run_with(stage, provider, deep=True)
    assert (run["status"], run["output"]) == ("succeeded", "Done.")
    assert (span["status"], span["output"]) == ("ok", {"belt": 7})
    method, path, headers, _ = heard[0]
    assert (method, path, headers["authorization"]) == ("GET", "/bags/Rome", SECRET)
    assert provider.requests[1]["messages"][-1]["content"] == '{"belt": 7}'


@pytest.mark.parametrize(("path", "error_type"), [("broken", "500"), ("away", "address_refused")])
async def test_model_is_told_when_a_tool_fails(
    stage: Stage, provider: Provider, tool_server: LoopbackServer, path: str, error_type: str
) -> None:
    await stage.new_agent(http_tool(f"{tool_server.url}/{path}"))
    await set_headers(stage, Authorization=SECRET)
    run, span = await run_with(stage, provider)
    assert (run["status"], run["error_count"]) == ("succeeded", 1)
    assert (span["status"], span["attributes"]["error.type"]) == ("error", error_type)
    assert "canary" not in str(span) + str(provider.requests)


async def test_tool_at_a_private_address_is_not_called(
    stage: Stage, provider: Provider, tool_server: LoopbackServer
) -> None:
    running = stage.app.state.live_runs.running
    object.__setattr__(running, "outbound", Outbound())  # as where no network is allowed
    await stage.new_agent(http_tool(f"{tool_server.url}/bags"))
    run, span = await run_with(stage, provider)
    assert (run["status"], heard) == ("succeeded", [])
    assert span["attributes"]["error.type"] == "address_refused"


async def test_tool_of_another_kind_or_without_an_endpoint_is_the_callers(
    stage: Stage, provider: Provider
) -> None:
    await stage.new_agent({"name": "find_bag", "kind": "http"}, {"name": "remote", "kind": "mcp"})
    provider.will(calls(("find_bag", {"city": "Rome"}), ("remote", {"city": "Rome"})))
    run = await stage.read((await stage.stream())[-1][1]["id"])
    assert len(run["output"]["requires_action"]["tool_calls"]) == 2


async def test_own_calls_are_done_before_the_callers_are_asked_for(
    stage: Stage, provider: Provider, tool_server: LoopbackServer
) -> None:
    await stage.new_agent(http_tool(tool_server.url), {"name": "ask_human"})
    wanted = [("find_bag", {"city": "Rome"}), ("ask_human", {"city": "Rome"})]
    provider.will(calls(*wanted), says("Done."))
    run = (await stage.stream())[-1][1]
    assert len(heard) == 1
    results = [{"tool_call_id": "call_2", "content": "yes"}]
    path = f"/api/v1/executions/{run['id']}/tool-results"
    assert (await stage.stream(path, results=results))[-1][1]["status"] == "succeeded"
    told = {m["tool_call_id"]: m["content"] for m in provider.requests[1]["messages"][3:]}
    assert told == {"call_1": '{"belt": 7}', "call_2": "yes"}


# Secrets


async def test_header_values_are_never_shown_and_stored_encrypted(
    stage: Stage, tool_server: LoopbackServer
) -> None:
    await stage.new_agent(http_tool(tool_server.url))
    path = f"/api/v1/tools/{stage.tools[0].id}"
    headers = {"Authorization": SECRET, "X-Key": "k"}
    answer = await stage.api.put(f"{path}/headers", json={"headers": headers})
    read = (await stage.api.get(path)).json()
    assert read["header_names"] == ["Authorization", "X-Key"]
    async with stage.database.looking() as session:
        tables = ("tools", "audit_events", "agent_revisions")
        rows = [await session.execute(text(f"SELECT * FROM {table}")) for table in tables]
        dumped = str([found.all() for found in rows])
    assert "canary" not in answer.text + str(read) + dumped
    assert "'sealed_headers': [None, 'changed']" in dumped


async def test_headers_do_not_follow_a_tool_to_another_server(
    stage: Stage, provider: Provider, tool_server: LoopbackServer
) -> None:
    await stage.new_agent(http_tool(f"{tool_server.url}/bags"))
    await set_headers(stage, Authorization=SECRET)
    path = f"/api/v1/tools/{stage.tools[0].id}"
    same = {"endpoint": {"url": f"{tool_server.url}/other", "method": "POST"}}
    assert (await stage.api.patch(path, json=same)).json()["header_names"] == ["Authorization"]
    moved = {"endpoint": {"url": "https://elsewhere.example.com/"}}
    assert (await stage.api.patch(path, json=moved)).json()["header_names"] == []
    back = {"endpoint": {"url": f"{tool_server.url}/bags"}}
    assert (await stage.api.patch(path, json=back)).json()["header_names"] == []
    await run_with(stage, provider)
    assert "authorization" not in heard[0][2]


async def test_old_revision_sends_no_secret_to_where_the_tool_was(
    stage: Stage, provider: Provider, tool_server: LoopbackServer
) -> None:
    """The headers were entered for the server that the tool is at now."""
    await stage.new_agent(http_tool(f"{tool_server.url}/old"))
    path = f"/api/v1/tools/{stage.tools[0].id}"
    moved = {"endpoint": {"url": f"http://localhost:{tool_server.port}/new"}}
    await stage.api.patch(path, json=moved)
    await set_headers(stage, Authorization=SECRET)
    provider.will(calls(("find_bag", {"city": "Rome"})), says("Done."))
    await stage.stream(revision=1)
    assert (heard[0][1], "authorization" in heard[0][2]) == ("/old", False)


async def test_headers_of_a_lost_key_are_said_to_be_unreadable(
    stage: Stage, provider: Provider, tool_server: LoopbackServer
) -> None:
    await stage.new_agent(http_tool(tool_server.url))
    await set_headers(stage, Authorization=SECRET)
    async with stage.database.unit_of_work() as session:
        await session.execute(text("UPDATE tools SET sealed_headers = 'lost'"))
    _, span = await run_with(stage, provider)
    assert "Enter them again" in span["output"]["error"]
    assert heard == []


async def test_only_tools_of_kind_http_have_an_endpoint_and_only_with_one_headers(
    stage: Stage,
) -> None:
    endpoint = {"url": "https://shop.example.com/"}
    body = {"name": "a-tool", "endpoint": endpoint}
    assert (await stage.api.post("/api/v1/tools", json=body)).status_code == 422
    await stage.new_agent({"name": "find_bag"})
    path = f"/api/v1/tools/{stage.tools[0].id}/headers"
    assert (await stage.api.put(path, json={"headers": {"A": "b"}})).status_code == 422


@asynccontextmanager
async def browser_of(stage: Stage) -> AsyncIterator[Any]:
    async with client_of(stage.app) as client:
        async with stage.database.unit_of_work() as session:
            await log_in(client, session, stage.settings, await make_user(session))
        yield client


async def test_tool_form_sets_keeps_and_forgets_headers(stage: Stage) -> None:
    form = {
        "name": "find_bag",
        "kind": "http",
        "parameters": "{}",
        "endpoint_url": "https://shop.example.com/{id}",
        "endpoint_method": "GET",
        "is_active": "true",
    }
    async with browser_of(stage) as web:
        wrong = await web.post("/tools/new", data=form | {"headers": "X-Key: canary", "name": "x"})
        assert (wrong.status_code, "canary" in wrong.text) == (422, False)
        made = await web.post("/tools/new", data=form | {"headers": f"Authorization: {SECRET}"})
        path = made.headers["location"].partition("?")[0]
        shown = (await web.get(path)).text
        assert "https://shop.example.com/{id}" in shown
        assert "Authorization" in shown
        edit = (await web.get(f"{path}/edit")).text
        assert "Set: Authorization." in edit
        assert "canary" not in shown + edit
        await web.post(f"{path}/edit", data=form | {"row_version": "2", "description": "new"})
        assert "Authorization" in (await web.get(path)).text
        await web.post(f"{path}/edit", data=form | {"row_version": "3", "forget_headers": "true"})
        assert "Authorization" not in (await web.get(path)).text
