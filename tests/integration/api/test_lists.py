"""Pages, cursors, sorts, filters and search, the same on every list."""

from collections.abc import Callable, Coroutine
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.exceptions import Invalid
from app.services import base
from app.services.paging import Cursor
from tests.factories.agents import make_agent
from tests.factories.executions import make_execution
from tests.factories.tools import make_tool
from tests.integration.envelope import assert_envelope

Make = Callable[..., Coroutine[Any, Any, Any]]
NUMBERED: list[tuple[str, Make]] = [("agents", make_agent), ("tools", make_tool)]


@pytest.mark.parametrize(("resource", "make"), NUMBERED)
async def test_pages_hold_each_row_once(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, resource: str, make: Make
) -> None:
    for i in range(5):
        await make(session, actor, name=f"row-{i}")
    pages = [
        (await api.get(f"/api/v1/{resource}?page={n}&page_size=2")).json() for n in (1, 2, 3, 4)
    ]
    assert [row["name"] for p in pages for row in p["items"]] == [f"row-{i}" for i in range(5)]
    assert {(p["total"], p["pages"], p["page_size"]) for p in pages} == {(5, 3, 2)}
    assert all(p["total_is_exact"] for p in pages)
    assert [p["page"] for p in pages] == [1, 2, 3, 4]
    skipped = (await api.get(f"/api/v1/{resource}?skip=2&limit=2")).json()
    assert skipped == pages[1]


@pytest.mark.parametrize("rows", [5, 6])
async def test_pages_lead_to_the_end_of_a_list_too_long_to_count(
    api: httpx2.AsyncClient,
    session: AsyncSession,
    actor: Actor,
    monkeypatch: pytest.MonkeyPatch,
    rows: int,
) -> None:
    monkeypatch.setattr(base, "COUNT_LIMIT", 2)
    names = [(await make_tool(session, actor, name=f"row-{i}")).name for i in range(rows)]
    seen: list[str] = []
    number, pages = 0, 1
    while number < pages:
        number += 1
        page = (await api.get(f"/api/v1/tools?page={number}&page_size=2")).json()
        seen += [row["name"] for row in page["items"]]
        pages = page["pages"]
        assert page["total_is_exact"] is (number == 3)
        assert len(seen) < page["total"] <= rows or number == 3
    assert seen == names
    assert page["total"] == rows
    beyond = (await api.get("/api/v1/tools?page=9&page_size=2")).json()
    assert (beyond["items"], beyond["total_is_exact"]) == ([], False)


@pytest.mark.parametrize(("resource", "make"), NUMBERED)
@pytest.mark.parametrize("sort", ["name", "-name", "created_at", "-created_at", "-updated_at"])
async def test_list_is_sorted_as_asked(
    api: httpx2.AsyncClient,
    session: AsyncSession,
    actor: Actor,
    resource: str,
    make: Make,
    sort: str,
) -> None:
    for name in ("beta", "alpha", "gamma"):
        await make(session, actor, name=name)
    items = (await api.get(f"/api/v1/{resource}?sort={sort}")).json()["items"]
    values = [row[sort.removeprefix("-")] for row in items]
    assert values == sorted(values, reverse=sort.startswith("-"))
    assert len(items) == 3


@pytest.mark.parametrize(("resource", "make"), NUMBERED)
@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("refund", True),
        ("REF", True),
        ("money back", True),
        ("bot refund", True),
        ("refund nothing", False),
        ("efund", False),
        ("...", False),
    ],
)
async def test_search_finds_beginnings_of_words_in_name_and_description(
    api: httpx2.AsyncClient,
    session: AsyncSession,
    actor: Actor,
    resource: str,
    make: Make,
    q: str,
    found: bool,
) -> None:
    await make(session, actor, name="refund-bot", description="Gives the money back.")
    await make(session, actor, name="other", description=None)
    items = (await api.get(f"/api/v1/{resource}", params={"q": q})).json()["items"]
    assert [row["name"] for row in items] == (["refund-bot"] if found else [])


async def test_agents_are_filtered_by_model_state_and_name(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    await make_agent(session, actor, name="one", model="gpt-4o")
    await make_agent(session, actor, name="two", model="other", is_active=False)
    for query, name in (
        ("model=other", "two"),
        ("is_active=true", "one"),
        ("name=TWO", "two"),
        ("model=gpt-4o&is_active=true", "one"),
    ):
        items = (await api.get(f"/api/v1/agents?{query}")).json()["items"]
        assert [row["name"] for row in items] == [name]


async def walk(api: httpx2.AsyncClient, limit: int) -> list[int]:
    ids: list[int] = []
    cursor = None
    while True:
        params = {"limit": limit} | ({"cursor": cursor} if cursor else {})
        found = (await api.get("/api/v1/executions", params=params)).json()
        ids += [row["id"] for row in found["items"]]
        cursor = found["next_cursor"]
        if cursor is None:
            return ids


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
async def test_cursor_walks_over_each_run_once_newest_first(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, limit: int
) -> None:
    agent = await make_agent(session, actor)
    runs = [await make_execution(session, actor, agent, spans=[]) for _ in range(6)]
    other = await make_execution(session, actor, agent, spans=[], started_at="2026-10-01T00:00:00Z")
    # The same start time: the id decides.
    assert await walk(api, limit) == [run.id for run in reversed(runs)] + [other.id]


async def test_rows_inserted_meanwhile_neither_repeat_nor_hide_others(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    runs = [await make_execution(session, actor, agent, spans=[]) for _ in range(4)]
    first = (await api.get("/api/v1/executions?limit=2")).json()
    newest = {"started_at": "2026-11-02T00:00:00Z", "ended_at": None, "status": "running"}
    await make_execution(session, actor, agent, spans=[], **newest)
    second = await api.get(f"/api/v1/executions?limit=2&cursor={first['next_cursor']}")
    seen = [row["id"] for row in first["items"] + second.json()["items"]]
    assert seen == [run.id for run in reversed(runs)]


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "%00",
        "é",
        "e30",
        "WzEsMiwzXQ",
        Cursor("not a moment", 1, backward=False).encode(),
        Cursor("0001-01-01T00:00:00+23:59", 1, backward=True).encode(),
        Cursor("9999-12-31T23:59:59-23:59", 1, backward=False).encode(),
        Cursor("", 2**63 - 1, backward=False).encode(),
        "a" * 501,
    ],
)
async def test_cursor_we_did_not_write_is_refused(api: httpx2.AsyncClient, cursor: str) -> None:
    response = await api.get("/api/v1/executions", params={"cursor": cursor})
    assert_envelope(response, 422, "VALIDATION_ERROR")


@given(st.text(max_size=400) | st.binary(max_size=300).map(lambda b: b.hex()))
def test_any_text_as_cursor_is_read_or_refused(text: str) -> None:
    try:
        Cursor.decode(text)
    except Invalid:
        return


@given(st.text(), st.integers(0, 2**63 - 1), st.booleans())
def test_cursor_comes_back_as_it_was(value: str, row_id: int, backward: bool) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        return
    cursor = Cursor(value.replace("\x00", ""), row_id, backward)
    assert Cursor.decode(cursor.encode()) == cursor


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    field=st.sampled_from(["name", "model", "system_prompt", "description", "note"]),
    text=st.text(max_size=300),
)
async def test_any_text_in_any_field_is_stored_or_refused(
    api: httpx2.AsyncClient, field: str, text: str
) -> None:
    import json

    data = {"name": "bot", "model": "m"} | {field: text}
    body = json.dumps(data).encode()
    headers = {"Content-Type": "application/json"}
    response = await api.post("/api/v1/agents", content=body, headers=headers)
    if response.status_code == 201:
        await api.delete(response.headers["location"])
        return
    assert_envelope(response, 422, "VALIDATION_ERROR")


@pytest.mark.parametrize("resource", ["agents", "tools", "executions"])
async def test_ids_fetch_many_at_once_and_name_the_missing(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, resource: str
) -> None:
    agent = await make_agent(session, actor)
    makers: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
        "agents": lambda: make_agent(session, actor),
        "tools": lambda: make_tool(session, actor),
        "executions": lambda: make_execution(session, actor, agent),
    }
    ids = [(await makers[resource]()).id for _ in range(30)]
    gone = ids.pop()
    await api.delete(f"/api/v1/{resource}/{gone}")
    asked = ",".join(map(str, [*ids, gone, 987_654]))
    body = (await api.get(f"/api/v1/{resource}?ids={asked}")).json()
    assert sorted(row["id"] for row in body["items"]) == ids
    assert body["missing"] == [gone, 987_654]
    repeated = (await api.get(f"/api/v1/{resource}?ids={ids[0]}&ids={ids[1]}")).json()
    assert {row["id"] for row in repeated["items"]} == set(ids[:2])
    assert repeated["missing"] == []
    assert "missing" not in (await api.get(f"/api/v1/{resource}")).json()


@pytest.mark.parametrize("query", ["skip=0&page=1", "limit=5&page_size=5"])
async def test_two_ways_to_say_one_place_are_refused(api: httpx2.AsyncClient, query: str) -> None:
    response = await api.get(f"/api/v1/agents?{query}")
    assert_envelope(response, 422, "VALIDATION_ERROR")
    assert "use one of the two" in response.text


@pytest.mark.parametrize("resource", ["agents", "executions"])
@pytest.mark.parametrize("query", ["ids=x", "ids=0", "ids=1&limit=5", f"ids={'1,' * 101}"])
async def test_ids_outside_the_rules_are_refused(
    api: httpx2.AsyncClient, resource: str, query: str
) -> None:
    response = await api.get(f"/api/v1/{resource}?{query}")
    assert_envelope(response, 422, "VALIDATION_ERROR")
