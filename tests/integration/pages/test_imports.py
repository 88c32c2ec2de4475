"""Imports: shown before they are done, done as they were shown, and never over a later change."""

import json
import re
from asyncio import create_task
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor, Via
from app.core.database import Database
from app.core.permissions import Role
from app.jobs.context import JobContext, Resources
from app.models import AuditEvent, Import, Job, User
from app.schemas.agents import AgentUpdate
from app.schemas.imports import Mode
from app.services import import_runs, imports
from app.services.agents import AgentService
from app.services.import_runs import ImportRunner
from app.services.imports import ImportService
from app.services.job_attempts import JobAttemptService
from app.services.upkeep import UpkeepService
from tests.conftest import QueryCounter, actor_for
from tests.factories.agents import make_agent
from tests.factories.imports import SETTINGS, make_import
from tests.factories.tools import make_tool
from tests.factories.users import make_user
from tests.jobs import work_off
from tests.locks import until_waiting

SAME = (
    "name",
    "description",
    "model",
    "system_prompt",
    "max_tokens",
    "config",
    "is_active",
    "tags",
)


async def upload(web: httpx2.AsyncClient, resource: str, data: str | bytes) -> httpx2.Response:
    content = data if isinstance(data, bytes) else data.encode()
    files = {"file": ("rows.csv", content, "application/octet-stream")}
    return await web.post(f"/{resource}/import", files=files)


async def preview(web: httpx2.AsyncClient, resource: str, data: str) -> str:
    answer = await upload(web, resource, data)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def seen(page: httpx2.Response) -> str:
    assert page.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))


async def confirmed(web: httpx2.AsyncClient, app: FastAPI, place: str, mode: str) -> str:
    """What the page says once the job has done what it could."""
    answer = await web.post(place, data={"mode": mode})
    assert (answer.status_code, answer.headers["location"]) == (303, place)
    await work_off(app)
    return seen(await web.get(place))


async def listed(api: httpx2.AsyncClient, stem: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await api.get(f"/api/v1/{stem}")).json()["items"]
    return items


@pytest.mark.parametrize("form", ["csv", "jsonl"])
async def test_what_was_exported_comes_back_equal_with_its_tools(
    form: str,
    app: FastAPI,
    web: httpx2.AsyncClient,
    api: httpx2.AsyncClient,
    session: AsyncSession,
    actor: Actor,
) -> None:
    tool = await make_tool(session, actor, name="find_bag", description="=SUM(1)")
    await make_agent(
        session,
        actor,
        name="bags",
        description='\'-x\nüber "q"',
        system_prompt="Line\r\n two, three",
        max_tokens=5000,
        config={"temperature": 0.5, "stop": ["a,b"]},
        is_active=False,
        tags=["b, c", "a"],
        tool_ids=[tool.id],
    )
    before = {stem: await listed(api, stem) for stem in ("tools", "agents")}
    files = {stem: (await web.get(f"/{stem}/export?format={form}")).text for stem in before}
    for table in ("agents", "tools"):
        await session.execute(text(f"UPDATE {table} SET deleted_at = now()"))
    session.expire_all()

    for stem in ("tools", "agents"):
        place = await preview(web, stem, files[stem])
        assert "1 row is written." in await confirmed(web, app, place, "create")

    [agent], [old] = await listed(api, "agents"), before["agents"]
    assert {name: agent[name] for name in SAME} == {name: old[name] for name in SAME}
    assert [tool["name"] for tool in agent["tools"]] == ["find_bag"]
    [made], [was] = await listed(api, "tools"), before["tools"]
    same = ("name", "description", "kind", "parameters", "endpoint", "is_active")
    assert {name: made[name] for name in same} == {name: was[name] for name in same}


ROWS = [
    {"name": "fresh-bot", "model": "gpt-4o"},
    {"name": "Known-Bot", "system_prompt": "New words.", "max_tokens": 2000},
    {"name": "same-bot", "model": "gpt-4o"},
    {"name": "fresh-bot", "model": "again"},
    {"name": "no-model", "colour": "blue"},
    {"name": "long-bot", "model": "m", "system_prompt": "x" * 1001},
    {"name": "toolless", "model": "m", "tools": ["no_such_tool"]},
    {"name": "odd\ud800\u0000", "model": "m", "bad\ud800key\u0000": 1},
]


async def test_preview_shows_what_each_row_means_and_writes_nothing(
    web: httpx2.AsyncClient, api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    await make_agent(session, actor, name="known-bot")
    await make_agent(session, actor, name="same-bot")

    place = await preview(web, "agents", "\n".join(map(json.dumps, ROWS)))

    page = seen(await web.get(place))
    assert "1 new, 1 changed, 1 unchanged, 5 refused" in page
    assert "Create 1 only Create 1, update 1" in page
    assert "system_prompt old: Be kind. → new: New words." in page
    assert "max_tokens old: 1000 → new: 2000" in page
    for said in (
        "is on line 1 too",
        "is no field of a row",
        "model is required",
        "system_prompt The system prompt has 1,001 characters",
        "tools There is no tool no_such_tool",
    ):
        assert said in page
    assert "is on line" not in seen(await web.get(f"{place}?show=changed"))
    assert [agent["name"] for agent in await listed(api, "agents")] == ["known-bot", "same-bot"]


async def test_rows_are_written_as_shown_but_not_over_a_later_change(
    app: FastAPI,
    web: httpx2.AsyncClient,
    api: httpx2.AsyncClient,
    session: AsyncSession,
    actor: Actor,
) -> None:
    known_id = (await make_agent(session, actor, name="known-bot")).id
    other = await make_agent(session, actor, name="other-bot")
    rows = [
        *ROWS[:2],
        {"name": "other-bot", "description": "d"},
        {"name": "late-bot", "model": "m"},
    ]
    place = await preview(web, "agents", "\n".join(map(json.dumps, rows)))
    await AgentService(session, actor).update(other.id, AgentUpdate(system_prompt="Meanwhile."))
    await make_agent(session, actor, name="late-bot")
    session.expire_all()

    await web.post(place, data={"mode": "update"})
    page = await confirmed(web, app, place, "update")

    assert len(list(await session.scalars(select(Job.id)))) == 1
    assert "2 rows are written. 2 were refused on the way" in page
    assert "Someone saved this agent in between: you have version 1, it is now 2." in page
    assert "Somebody made one of this name since the preview." in page
    agents = {agent["name"]: agent for agent in await listed(api, "agents")}
    assert agents["known-bot"]["max_tokens"] == 2000
    assert agents["known-bot"]["live_revision"]["number"] == 2
    assert agents["other-bot"]["description"] is None
    statement = select(AuditEvent.action).where(AuditEvent.resource_id == known_id)
    assert "update" in list(await session.scalars(statement))
    [said] = await session.scalars(select(AuditEvent).where(AuditEvent.action == "import"))
    assert said.changes["new"] == [None, 2]


async def test_create_only_leaves_what_is_there(
    app: FastAPI,
    web: httpx2.AsyncClient,
    api: httpx2.AsyncClient,
    session: AsyncSession,
    actor: Actor,
) -> None:
    await make_agent(session, actor, name="known-bot")
    place = await preview(web, "agents", "\n".join(map(json.dumps, ROWS[:2])))
    await confirmed(web, app, place, "create")
    agents = {agent["name"]: agent for agent in await listed(api, "agents")}
    assert agents.keys() == {"fresh-bot", "known-bot"}
    assert agents["known-bot"]["max_tokens"] == 1000


async def test_bad_rows_among_good_ones_are_refused_alone(
    app: FastAPI,
    web: httpx2.AsyncClient,
    api: httpx2.AsyncClient,
    session: AsyncSession,
    actor: Actor,
) -> None:
    rows = [{"name": f"bot-{n:02}", "model": "m"} for n in range(40)]
    place = await preview(web, "agents", "\n".join(map(json.dumps, rows)))
    for taken in ("bot-00", "bot-17", "bot-18", "bot-39"):
        await make_agent(session, actor, name=taken)
    session.expire_all()

    page = await confirmed(web, app, place, "create")

    assert "36 rows are written. 4 were refused on the way" in page
    created = select(AuditEvent.label).where(
        AuditEvent.action == "create", AuditEvent.resource == "agents", AuditEvent.via == Via.JOB
    )
    assert len(set(await session.scalars(created))) == 36
    live = [agent["live_revision"]["number"] for agent in await listed(api, "agents")]
    assert live == [1] * len(live)


@pytest.mark.parametrize("mode", ["create", "update"])
async def test_rows_are_written_in_few_statements_for_many(
    mode: str,
    app: FastAPI,
    web: httpx2.AsyncClient,
    session: AsyncSession,
    actor: Actor,
    counted: QueryCounter,
) -> None:
    tools = [(await make_tool(session, actor)).name for _ in range(2)]
    rows = [{"name": f"bot-{n}", "model": "m", "tools": tools} for n in range(40)]
    if mode == "update":
        for row in rows:
            await make_agent(session, actor, name=row["name"])
    session.expire_all()
    place = await preview(web, "agents", "\n".join(map(json.dumps, rows)))
    await web.post(place, data={"mode": mode})
    with counted:
        await work_off(app)
    own = [one for one in counted.statements if one.startswith("UPDATE agents SET model_name=")]
    assert len(own) == (40 if mode == "update" else 0)
    assert counted.count - len(own) < 80
    assert "40 rows are written." in seen(await web.get(place))


async def test_import_that_was_cut_off_says_so_and_goes_on(
    app: FastAPI,
    web: httpx2.AsyncClient,
    session: AsyncSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(import_runs, "ROWS_AT_ONCE", 2)
    rows = [{"name": f"bot-{n}", "model": "m"} for n in range(5)]
    place = await preview(web, "agents", "\n".join(map(json.dumps, rows)))
    await web.post(place, data={"mode": "create"})
    assert "Waiting for a worker" in seen(await web.get(place))
    [job_id] = await session.scalars(select(Job.id))
    async with app.state.database.unit_of_work() as own:
        attempt = await JobAttemptService(own, Actor.system(Via.JOB)).claim(job_id)
    assert attempt is not None
    resources = Resources(app.state.database, app.state.settings, app.state.templates)
    context = JobContext(attempt, resources)
    async with context.step() as step:
        imports = ImportService(step.session, step.actor, app.state.settings)
        runner = ImportRunner(await imports.get(int(place.rsplit("/", 1)[1])))
        await runner.go_on(imports)
    await web.post(f"/jobs/{job_id}/cancel")
    await work_off(app)
    session.expire_all()

    page = seen(await web.get(place))
    assert "Import interrupted" in page
    assert "2 rows are written, 3 are not yet" in page
    assert "5 rows are written." in await confirmed(web, app, place, "update")
    events = select(AuditEvent.label).where(AuditEvent.action == "create")
    made = list(await session.scalars(events.where(AuditEvent.resource == "agents")))
    assert sorted(map(str, made)) == [f"bot-{n}" for n in range(5)]


async def test_two_who_confirm_at_once_have_one_job_between_them(own_database: Database) -> None:
    async with own_database.unit_of_work() as session:
        actor = actor_for(await make_user(session, Role.STAFF))
        import_id = (await make_import(session, actor)).id
    async with own_database.unit_of_work() as first, own_database.unit_of_work() as second:
        await ImportService(first, actor, SETTINGS).start(import_id, Mode.CREATE)
        later = create_task(ImportService(second, actor, SETTINGS).start(import_id, Mode.CREATE))
        await until_waiting(own_database)
        await first.commit()
        row = await later
        assert row.job is not None
        assert row.job.is_open
    async with own_database.looking() as session:
        assert len(list(await session.scalars(select(Job.id)))) == 1


async def test_names_that_stand_twice_on_one_line_are_found(web: httpx2.AsyncClient) -> None:
    rows = [{"name": "same-bot", "model": "m"}, {"name": "Same-Bot", "model": "n"}]

    page = seen(await web.get(await preview(web, "agents", json.dumps(rows))))

    assert "1 new, 0 changed, 0 unchanged, 1 refused" in page
    assert "Create 1 Choose another file" in page
    assert "is on line 1 too" in page


async def test_only_the_newest_files_wait_for_a_word(
    web: httpx2.AsyncClient, session: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "MOST_WAITING", 2)
    places = [await preview(web, "agents", '[{"name": "bot", "model": "m"}]') for _ in range(2)]
    await web.post(places[0], data={"mode": "create"})

    places += [await preview(web, "agents", '[{"name": "bot", "model": "m"}]') for _ in range(2)]

    assert [(await web.get(place)).status_code for place in places] == [200, 404, 200, 200]
    uploads = select(AuditEvent).where(AuditEvent.action == "upload").order_by(AuditEvent.id)
    told = [event.changes.get("forgotten") for event in await session.scalars(uploads)]
    assert told == [None, None, None, [[int(places[1].rpartition("/")[2])], None]]


async def test_hostile_files_are_refused_on_the_form_with_the_line(web: httpx2.AsyncClient) -> None:
    for data, said in ((b"name\n\xff", "Line 2 is not UTF-8"), (b"\x00", "NUL")):
        answer = await upload(web, "tools", data)
        assert answer.status_code == 422
        assert said in answer.text
    without = await web.post("/agents/import", data={"file": "text"})
    assert (without.status_code, "Choose a file." in without.text) == (400, True)
    bad = json.dumps({"name": "tool-x", "kind": "magic", "parameters": {"type": 7}, "endpoint": []})
    page = seen(await web.get(await preview(web, "tools", bad)))
    for field in ("kind", "parameters", "endpoint"):
        assert f" {field} " in page


async def test_import_is_its_own_persons_and_ends_with_the_day(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, staff: User
) -> None:
    foreign = await make_import(
        session,
        Actor(
            user_id=(await make_user(session)).id,
            role=staff.role,
            permissions=actor.permissions,
            via=Via.PAGE,
        ),
    )
    place = f"/imports/{(await make_import(session, actor)).id}"
    assert (await web.get(f"/imports/{foreign.id}")).status_code == 404
    assert (await web.get(place)).status_code == 200
    await session.execute(text("UPDATE imports SET expires_at = now() - interval '1 s'"))
    session.expire_all()
    assert (await web.post(place, data={"mode": "create"})).status_code == 404
    await UpkeepService(session, Actor.system(Via.JOB)).remove_expired()
    assert not (await session.scalars(select(Import.id))).all()
