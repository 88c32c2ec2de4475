"""Many rows are changed as one by one: tried dry, done once, told row by row, and taken back."""

from collections import Counter
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import KEY_SCOPES, Permission
from app.jobs.bulk_changes import changing
from app.jobs.context import JobContext, Resources
from app.jobs.rows import some_rows
from app.models import AuditEvent, Job, JobStatus
from app.services import bulk_runs
from app.services.agents import AgentService
from app.services.bulk import RowProgress
from app.services.job_attempts import JobAttemptService
from app.services.tools import ToolService
from tests.factories.agents import make_agent
from tests.factories.clients import key_headers
from tests.factories.executions import make_execution
from tests.factories.tools import make_tool
from tests.jobs import work_off

API = "/api/v1"
MOVES = ("row_version", "updated_at", "search")
MANY = 500
MANY_RUNS = text("""
INSERT INTO executions (agent_id, trace_id, status, source, started_at, cost_source, tags)
SELECT :agent, decode(lpad(to_hex(n), 32, '0'), 'hex'), 'succeeded', 'api', now(), 'unpriced',
       CASE WHEN n % 5 = 0 THEN '{zzz,old}' ELSE '{}' END::varchar[]
FROM generate_series(1, :many) n
""")


async def ask(api: httpx2.AsyncClient, action: str, **values: Any) -> dict[str, Any]:
    body = {"resource": "agents", "action": action} | values
    answer = await api.post(f"{API}/bulk-changes", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def done(api: httpx2.AsyncClient, app: FastAPI, action: str, **values: Any) -> dict[str, Any]:
    """Start it and let it be done; the answer is how it stands then."""
    change = await ask(api, action, dry_run=False, **values)
    return await finished(api, app, change["id"])


async def finished(api: httpx2.AsyncClient, app: FastAPI, change_id: int) -> dict[str, Any]:
    await work_off(app)
    found: dict[str, Any] = (await api.get(f"{API}/bulk-changes/{change_id}")).json()
    assert found["status"] == "succeeded", found
    return found


async def undone(api: httpx2.AsyncClient, app: FastAPI, change_id: int) -> dict[str, Any]:
    answer = await api.post(f"{API}/bulk-changes/{change_id}/undo", json={"dry_run": False})
    assert answer.status_code == 201, answer.text
    return await finished(api, app, answer.json()["id"])


async def rows_of(api: httpx2.AsyncClient, change_id: int, **query: Any) -> list[dict[str, Any]]:
    answer = await api.get(f"{API}/bulk-changes/{change_id}/rows", params=query)
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def table(session: AsyncSession, name: str) -> dict[int, dict[str, Any]]:
    """Every column of every row, but for those that any save moves."""
    rows = await session.execute(text(f"SELECT * FROM {name} ORDER BY id"))
    return {row["id"]: {k: v for k, v in row.items() if k not in MOVES} for row in rows.mappings()}


async def test_undo_of_500_rows_restores_every_value(
    app: FastAPI, api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    await session.execute(MANY_RUNS, {"agent": agent.id, "many": MANY})
    before = await table(session, "executions")
    asked = {"resource": "executions", "filter": {"agent_id": [agent.id]}}
    change = await done(api, app, "add_tag", value="vip", **asked)
    assert change["rows"] == {"pending": 0, "changed": MANY, "unchanged": 0, "refused": 0}
    between = await table(session, "executions")
    assert all("vip" in row["tags"] for row in between.values())
    undo = await undone(api, app, change["id"])
    assert undo["rows"]["changed"] == MANY
    assert await table(session, "executions") == before


@pytest.mark.parametrize(
    "action",
    [
        {"action": "pause"},
        {"action": "set_model", "value": "gpt-5"},
        {"action": "set_max_tokens", "value": "2000"},
        {"action": "remove_tag", "value": "old"},
        {"action": "trash"},
    ],
    ids=lambda action: action["action"],
)
async def test_undo_puts_agents_back_with_the_revision_that_was_live(
    app: FastAPI,
    api: httpx2.AsyncClient,
    session: AsyncSession,
    actor: Actor,
    action: dict[str, str],
) -> None:
    ids = [(await make_agent(session, actor, tags=["old"])).id for _ in range(3)]
    before = await table(session, "agents")
    change = await done(api, app, ids=ids, **action)
    assert change["rows"]["changed"] == 3
    assert await table(session, "agents") != before
    undo = await undone(api, app, change["id"])
    assert await table(session, "agents") == before
    redo = await undone(api, app, undo["id"])
    assert redo["rows"]["changed"] == 3


async def test_dry_run_writes_nothing_and_says_what_would_become_of_each_row(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    small = await make_agent(session, actor, model="gpt-3.5-turbo", name="small")
    large = await make_agent(session, actor, max_tokens=50_000, name="large")
    before = await table(session, "agents")
    ids = [small.id, large.id, 987_654_321]
    change = await ask(api, "set_model", value="gpt-3.5-turbo", ids=ids)
    assert (change["status"], change["job_id"]) == ("dry_run", None)
    assert [row["outcome"] for row in await rows_of(api, change["id"])] == [
        "unchanged",
        "refused",
        "refused",
    ]
    reasons = [row["reason"] for row in await rows_of(api, change["id"])]
    assert reasons == [
        "It has this model already.",
        "gpt-3.5 models allow at most 4096 tokens.",
        "There is no such agent.",
    ]
    assert await table(session, "agents") == before
    start = await api.post(f"{API}/bulk-changes/{change['id']}/start")
    assert start.status_code == 409
    assert "nothing to change" in start.text


async def test_dry_run_foresees_what_the_service_refuses(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    used, free = await make_tool(session, actor), await make_tool(session, actor)
    agent = await make_agent(session, actor, tool_ids=[used.id])
    change = await ask(api, "trash", resource="tools", ids=[used.id, free.id])
    [refused] = await rows_of(api, change["id"], outcome="refused")
    assert refused["reason"].startswith("1 agent uses this tool.")
    agents = AgentService(session, actor)
    await agents.delete(agent.id)
    await make_agent(session, actor, name=agent.name)
    change = await ask(api, "restore", ids=[agent.id])
    [refused] = await rows_of(api, change["id"])
    assert refused["reason"] == f"You already have an agent called {agent.name}."


async def test_rows_changed_since_the_dry_run_are_refused_one_by_one(
    app: FastAPI, api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    ids = [(await make_agent(session, actor)).id for _ in range(2)]
    change = await ask(api, "set_model", value="gpt-5", ids=ids)
    await api.patch(f"{API}/agents/{ids[0]}", json={"model": "mine"})
    assert (await api.post(f"{API}/bulk-changes/{change['id']}/start")).status_code == 200
    again = await api.post(f"{API}/bulk-changes/{change['id']}/start")
    assert again.status_code == 409
    await finished(api, app, change["id"])
    rows = await rows_of(api, change["id"])
    assert [row["outcome"] for row in rows] == ["refused", "changed"]
    assert "in between" in rows[0]["reason"]
    models = [(await api.get(f"{API}/agents/{row_id}")).json()["model"] for row_id in ids]
    assert models == ["mine", "gpt-5"]


async def test_undo_leaves_alone_what_somebody_has_changed_since(
    app: FastAPI, api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    ids = [(await make_agent(session, actor)).id for _ in range(3)]
    await session.execute(text("SELECT setval('jobs_id_seq', 123456)"))
    change = await done(api, app, "set_model", value="gpt-5", ids=ids)
    await api.patch(f"{API}/agents/{ids[0]}", json={"model": "mine"})
    # A request that calls itself by the job's name is not its work.
    pretended = {"X-Correlation-Id": f"job-{change['job_id']}"}
    await api.patch(f"{API}/agents/{ids[1]}", json={"description": "Kept."}, headers=pretended)
    undo = await undone(api, app, change["id"])
    assert undo["rows"]["changed"] == 2
    [refused] = await rows_of(api, undo["id"], outcome="refused")
    assert refused["row_id"] == ids[0]
    assert refused["reason"].startswith("Changed since by ")
    assert refused["reason"].endswith("model name.")
    kept = (await api.get(f"{API}/agents/{ids[1]}")).json()
    assert (kept["model"], kept["description"]) == ("gpt-4o", "Kept.")


async def test_runs_are_tagged_by_the_filter_of_their_list(
    app: FastAPI, api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    failed = await make_execution(session, actor, agent, status="failed")
    stalled = await make_execution(session, actor, agent, status="stalled")
    await make_execution(session, actor, agent)
    asked = {"resource": "executions", "filter": {"status": ["failed", "stalled"]}}
    change = await done(api, app, "add_tag", value="look", **asked)
    assert change["rows"]["changed"] == 2
    found = (await api.get(f"{API}/executions", params={"tag": "look"})).json()["items"]
    assert {run["id"]: run["status"] for run in found} == {
        failed.id: "failed",
        stalled.id: "stalled",
    }
    assert (await undone(api, app, change["id"]))["rows"]["changed"] == 2
    assert (await api.get(f"{API}/executions", params={"tag": "look"})).json()["items"] == []


async def test_events_carry_the_job_and_the_reason(
    app: FastAPI, api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    tools = [await make_tool(session, actor) for _ in range(2)]
    change = await done(
        api, app, "pause", resource="tools", ids=[t.id for t in tools], note="Outage."
    )
    events = list(
        await session.scalars(
            select(AuditEvent).where(AuditEvent.request_id == f"job-{change['job_id']}")
        )
    )
    paused = [event for event in events if event.resource == ToolService.resource]
    assert {(e.action, e.reason, e.actor_user_id) for e in paused} == {
        ("pause", "Outage.", actor.user_id)
    }
    assert Counter(e.resource_id for e in paused) == Counter(t.id for t in tools)


async def test_try_that_follows_another_changes_no_row_twice(
    app: FastAPI,
    api: httpx2.AsyncClient,
    session: AsyncSession,
    actor: Actor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker that died after some rows were committed, and one that takes the job over."""
    monkeypatch.setattr(bulk_runs, "ROWS_AT_ONCE", 2)
    ids = [(await make_agent(session, actor)).id for _ in range(5)]
    change = await ask(api, "pause", ids=ids, dry_run=False)
    async with app.state.database.unit_of_work() as own:
        attempt = await JobAttemptService(own, Actor.system(actor.via)).claim(change["job_id"])
    assert attempt is not None
    resources = Resources(app.state.database, app.state.settings, app.state.templates)
    assert await some_rows(JobContext(attempt, resources), RowProgress(5), changing(change["id"]))
    stands = (await api.get(f"{API}/bulk-changes/{change['id']}")).json()
    assert (stands["rows"]["changed"], stands["rows"]["pending"]) == (2, 3)
    await finished(api, app, change["id"])
    pauses = select(AuditEvent.resource_id).where(AuditEvent.action == "pause")
    assert Counter(await session.scalars(pauses)) == Counter(ids)


async def test_cancelled_change_keeps_what_it_did_and_can_be_undone(
    app: FastAPI,
    api: httpx2.AsyncClient,
    session: AsyncSession,
    actor: Actor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bulk_runs, "ROWS_AT_ONCE", 2)
    ids = [(await make_agent(session, actor)).id for _ in range(5)]
    before = await table(session, "agents")
    change = await ask(api, "pause", ids=ids, dry_run=False)
    early = await api.post(f"{API}/bulk-changes/{change['id']}/undo", json={})
    assert early.status_code == 409
    async with app.state.database.unit_of_work() as own:
        attempt = await JobAttemptService(own, Actor.system(actor.via)).claim(change["job_id"])
    assert attempt is not None
    resources = Resources(app.state.database, app.state.settings, app.state.templates)
    await some_rows(JobContext(attempt, resources), RowProgress(5), changing(change["id"]))
    await api.post(f"{API}/jobs/{change['job_id']}/cancel")
    await work_off(app)
    session.expire_all()
    job = await session.get_one(Job, change["job_id"])
    assert job.status is JobStatus.CANCELLED
    undo = await undone(api, app, change["id"])
    assert undo["rows"]["changed"] == 2
    assert await table(session, "agents") == before


async def test_change_is_made_once_under_its_idempotency_key(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    body = {"resource": "agents", "action": "pause", "ids": [agent.id]}
    headers = {"Idempotency-Key": "once"}
    first, again = [
        (await api.post(f"{API}/bulk-changes", json=body, headers=headers)).json() for _ in range(2)
    ]
    assert first == again


@pytest.mark.parametrize(
    "body",
    [
        {"action": "pause"},
        {"action": "pause", "ids": [1], "filter": {}},
        {"action": "add_tag", "ids": [1]},
        {"action": "pause", "ids": [1], "value": "x"},
        {"action": "set_max_tokens", "ids": [1], "value": "99"},
        {"action": "restore", "filter": {}},
        {"action": "undo", "ids": [1]},
        {"action": "pause", "filter": {"nonsense": 1}},
        {"action": "set_model", "ids": [1], "value": "m", "resource": "tools"},
        {"action": "pause", "filter": {"q": "nothing-is-called-so"}},
    ],
)
async def test_what_makes_no_sense_is_refused(
    api: httpx2.AsyncClient, body: dict[str, Any]
) -> None:
    answer = await api.post(f"{API}/bulk-changes", json={"resource": "agents"} | body)
    assert answer.status_code == 422, answer.text


async def test_it_takes_what_one_row_takes(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, staff: Any
) -> None:
    agent = await make_agent(session, actor)
    body = {"resource": "agents", "action": "trash", "ids": [agent.id]}
    headers = await key_headers(session, staff, [Permission.JOBS_WRITE, Permission.AGENTS_READ])
    api.headers.update(headers)
    answer = await api.post(f"{API}/bulk-changes", json=body)
    assert answer.status_code == 403
    assert "agents:delete" in answer.text


async def test_full_row_is_refused_and_costs_no_other(
    app: FastAPI, api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    full = await make_agent(session, actor, tags=[f"tag-{n}" for n in range(50)])
    nearly = await make_agent(session, actor, tags=[f"tag-{n}" for n in range(49)])
    change = await done(api, app, "add_tag", value="one-more", ids=[full.id, nearly.id])
    assert (change["rows"]["changed"], change["rows"]["refused"]) == (1, 1)
    [refused] = await rows_of(api, change["id"], outcome="refused")
    assert (refused["row_id"], refused["reason"][:14]) == (full.id, "It has 50 tags")


async def test_undo_takes_what_one_row_takes(
    app: FastAPI, api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, staff: Any
) -> None:
    agent = await make_agent(session, actor)
    await AgentService(session, actor).delete(agent.id)
    change = await done(api, app, "restore", ids=[agent.id])
    scopes = {*KEY_SCOPES} - {Permission.AGENTS_DELETE}
    api.headers.update(await key_headers(session, staff, sorted(scopes)))
    undo = (await api.post(f"{API}/bulk-changes/{change['id']}/undo")).json()
    assert (undo["would_change"], undo["would_refuse"]) == (0, 1)
    [row] = await rows_of(api, undo["id"])
    assert "agents:delete" in row["reason"]


async def test_member_changes_their_own_rows_and_learns_of_no_others(
    api: httpx2.AsyncClient,
    member_api: httpx2.AsyncClient,
    session: AsyncSession,
    actor: Actor,
) -> None:
    foreign = await make_agent(session, actor, name="foreign-one")
    change = await ask(member_api, "pause", ids=[foreign.id])
    [row] = await rows_of(member_api, change["id"])
    assert (row["label"], row["reason"]) == (f"agent {foreign.id}", "There is no such agent.")
    theirs = await ask(api, "pause", ids=[foreign.id])
    assert (await member_api.get(f"{API}/bulk-changes/{theirs['id']}")).status_code == 404


async def test_rows_come_in_pages(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    ids = [(await make_agent(session, actor)).id for _ in range(3)]
    change = await ask(api, "pause", ids=ids)
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await api.get(f"{API}/bulk-changes/{change['id']}/rows", params=query)).json()
        seen += [row["row_id"] for row in page["items"]]
        cursor = page["next_cursor"]
    assert seen == ids
