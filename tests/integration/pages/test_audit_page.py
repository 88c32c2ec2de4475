"""The audit log as superusers read it, export it, and find refusals in it."""

import csv
import json

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.config import Settings
from app.core.permissions import Permission, Role
from app.models import AuditEvent, User
from app.pages import audit_export
from app.services.audit_events import AuditEventService
from app.services.audit_seals import AuditSealService
from tests.conftest import actor_for, client_of
from tests.factories.agents import make_agent
from tests.factories.clients import key_headers, log_in
from tests.factories.imports import make_import
from tests.factories.users import make_user

API = "/api/v1/audit"


@pytest.fixture
async def root(
    client: httpx2.AsyncClient, session: AsyncSession, settings: Settings, superuser: User
) -> httpx2.AsyncClient:
    await log_in(client, session, settings, superuser)
    return client


async def denials(session: AsyncSession) -> list[AuditEvent]:
    statement = select(AuditEvent).where(AuditEvent.action == "denied").order_by(AuditEvent.id)
    return list(await session.scalars(statement))


async def test_events_are_filtered_by_what_is_in_them(
    root: httpx2.AsyncClient, session: AsyncSession, actor: Actor, superuser: User
) -> None:
    theirs = await make_agent(session, actor)
    await make_agent(session, actor_for(superuser))
    for query, count in (
        (f"resource=agents&actor_user_id={actor.user_id}&action=create", 1),
        (f"resource=agents&resource_id={theirs.id}&action=create", 1),
        ("resource=agents&action=create", 2),
        ("resource=agents&action=create&since=2020-01-01", 2),
        ("resource=agents&action=create&until=2020-01-01", 0),
        ("resource=agents&ip=203.0.113.9", 0),
        ("request_id=no-such-request", 0),
        ("actor_api_key_id=999999", 0),
    ):
        found = (await root.get(f"{API}?{query}")).json()["items"]
        assert len(found) == count, query
        page = await root.get(f"/audit?{query}")
        assert page.status_code == 200
        assert ("No event matches" in page.text) is (count == 0), query


@pytest.mark.parametrize("query", ["via=door", "resource_id=x", "since=soon", "nope=1", "limit=0"])
async def test_bad_filter_is_a_clear_error_of_the_api(root: httpx2.AsyncClient, query: str) -> None:
    assert (await root.get(f"{API}?{query}")).status_code == 422
    assert (await root.get(f"/audit?{query}")).status_code == 200


async def test_log_is_read_on_by_cursor(
    root: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    for _ in range(5):
        await make_agent(session, actor)
    ids: list[int] = []
    cursor = ""
    while True:
        page = (await root.get(f"{API}?resource=agents&limit=2{cursor}")).json()
        ids += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == len(set(ids)) >= 5


async def test_export_holds_what_the_list_shows_and_is_on_record(
    root: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    await make_agent(session, actor, name="first", description="=1+1")
    await make_agent(session, actor, name="second")
    as_csv = await root.post("/audit/export/csv?resource=agents&action=create")
    assert as_csv.headers["content-disposition"].startswith('attachment; filename="audit-')
    rows = list(csv.DictReader(as_csv.text.splitlines()))
    assert [row["label"] for row in rows] == ["second", "first"]
    assert json.loads(rows[1]["changes"])["description"] == [None, "=1+1"]
    assert not any(value.startswith(("=", "+", "@")) for row in rows for value in row.values())
    as_lines = await root.post("/audit/export/jsonl?resource=agents&action=create")
    events = [json.loads(line) for line in as_lines.text.splitlines()]
    assert [event["label"] for event in events] == ["second", "first"]
    newest = await session.scalar(select(AuditEvent).order_by(AuditEvent.id.desc()))
    assert newest is not None
    assert (newest.action, newest.changes["format"]) == ("export", [None, "jsonl"])
    assert (await root.post("/audit/export/xml")).status_code == 422


async def test_what_was_done_to_many_is_told_in_the_plural(
    root: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    await make_import(session, actor)
    await session.flush()  # its event
    await root.get("/agents/export?format=csv")
    for place in ("/audit", "/"):
        page = " ".join((await root.get(place)).text.split())
        assert "uploaded a file of agents" in page
        assert "exported agents" in page


@pytest.mark.parametrize("form", ["csv", "jsonl"])
async def test_export_that_is_cut_off_says_so(
    root: httpx2.AsyncClient,
    session: AsyncSession,
    actor: Actor,
    form: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(audit_export, "MAX_EVENTS", 3)
    monkeypatch.setattr(audit_export, "READ_AT_ONCE", 2)
    for _ in range(2):
        await make_agent(session, actor)
    await session.flush()  # the last events of the agents
    path = f"/audit/export/{form}?resource=agents"
    *events, last = (await root.post(path)).text.splitlines()[form == "csv" :]
    assert len(events) == 3
    assert "Narrow the filter" in last
    whole = (await root.post(f"{path}&action=restore")).text
    assert "Narrow the filter" not in whole


async def test_refusals_of_every_door_are_on_record_once_a_minute(
    app: FastAPI, session: AsyncSession, settings: Settings
) -> None:
    user = await make_user(session, Role.VIEWER)
    keys = await key_headers(session, user, [Permission.AGENTS_READ])
    async with client_of(app) as person, client_of(app, headers=keys) as machine:
        await log_in(person, session, settings, user)
        for _ in range(3):
            assert (await person.get("/audit")).status_code == 403
            assert (await person.get("/admin/users/list")).status_code == 403
            assert (await person.get(API)).status_code == 403
            assert (await machine.get("/api/v1/tools")).status_code == 403
    found = await denials(session)
    requests = [event.changes["request"][1] for event in found]
    expected = ["GET /audit", "GET /admin/users/list", f"GET {API}", "GET /api/v1/tools"]
    assert requests == expected
    assert {event.actor_user_id for event in found} == {user.id}
    assert found[-1].actor_api_key_id is not None
    assert found[0].ip == "127.0.0.1"


async def test_refusals_of_row_after_row_do_not_flood_the_log(
    app: FastAPI, session: AsyncSession, settings: Settings
) -> None:
    async with client_of(app) as person:
        await log_in(person, session, settings, await make_user(session, Role.VIEWER))
        for row_id in range(1, 20):
            assert (await person.delete(f"/api/v1/agents/{row_id}")).status_code == 403
            assert (await person.delete(f"/admin/agents/delete?pks={row_id}")).status_code == 403
    assert [event.changes["request"][1] for event in await denials(session)] == [
        "DELETE /api/v1/agents/1",
        "DELETE /admin/agents/delete",
    ]


async def test_page_says_how_far_the_log_is_sealed(
    root: httpx2.AsyncClient, session: AsyncSession, actor: Actor, settings: Settings
) -> None:
    await make_agent(session, actor)
    assert "Sealed against tampering" not in (await root.get("/audit")).text
    await session.flush()  # all events of the agent, before the seal
    await AuditSealService(session, settings).seal()
    newest = await session.scalar(select(func.max(AuditEvent.id)))
    shown = (await root.get("/audit")).text
    assert f"up to event {newest:,}" in shown


async def test_batches_of_machines_are_left_out_until_they_are_asked_for(
    root: httpx2.AsyncClient, session: AsyncSession, superuser: User
) -> None:
    audit = AuditEventService(session, actor_for(superuser))
    audit.record("create_batch", "executions", None, {"created": [None, 7331]})
    audit.record("update", "agents", None, {"name": ["a", "renamed"]})
    await session.flush()  # both are read back by the page
    page = (await root.get("/audit")).text
    assert ("renamed" in page, "7331" in page) == (True, False)
    assert "left out" in page
    for query in ("batches=shown", "action=create_batch", "resource=executions"):
        page = (await root.get(f"/audit?{query}")).text
        assert ("7331" in page, "left out" in page) == (True, False), query
    assert "7331" in (await root.get(API)).text, "programs are told all"
