"""Runs over JSON: reported once, completed later, found and traced."""

from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.database import Database
from app.core.permissions import Permission
from app.models import Execution, User
from tests.conftest import actor_for
from tests.factories.agents import make_agent
from tests.factories.clients import key_headers
from tests.factories.executions import execution_data, make_execution
from tests.integration.envelope import assert_envelope

RUNS = "/api/v1/executions"


@pytest.fixture
async def data(session: AsyncSession, actor: Actor) -> dict[str, Any]:
    """The JSON of a run that was not reported yet."""
    return execution_data(await make_agent(session, actor))


async def test_reported_run_is_found_at_its_location(
    api: httpx2.AsyncClient, data: dict[str, Any]
) -> None:
    made = await api.post(RUNS, json=data | {"tags": ["b", "a", "b"], "metadata": {"k": 1}})
    assert made.status_code == 201
    found = (await api.get(made.headers["location"])).json()
    reported = made.json()
    assert reported.pop("action") == "continue"
    assert {key: found[key] for key in reported} == reported
    assert found["input"] == data["input"]
    assert found["output"] == "It is in Rome."
    assert found["metadata"] == {"k": 1}
    assert found["tags"] == ["a", "b"]
    assert found["revision"] == 1
    assert found["preview"] == "Where is my bag?"
    assert found["latency_ms"] == 5000
    assert (found["span_count"], found["error_count"]) == (3, 1)
    assert (found["input_tokens"], found["output_tokens"]) == (100, 20)


async def test_same_run_sent_again_changes_nothing(
    api: httpx2.AsyncClient, session: AsyncSession, data: dict[str, Any]
) -> None:
    first = await api.post(RUNS, json=data)
    second = await api.post(RUNS, json=data)
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json() == first.json()
    assert second.headers["location"] == first.headers["location"]
    assert await session.scalar(select(func.count()).select_from(Execution)) == 1


async def test_other_content_under_the_same_id_is_refused(
    api: httpx2.AsyncClient, data: dict[str, Any]
) -> None:
    first = await api.post(RUNS, json=data)
    refused = await api.post(RUNS, json=data | {"output": "It is in Oslo."})
    assert_envelope(refused, 409, "CONFLICT")
    assert (await api.get(first.headers["location"])).json()["output"] == "It is in Rome."


async def test_run_is_known_by_its_trace_id_too(
    api: httpx2.AsyncClient, data: dict[str, Any]
) -> None:
    del data["external_id"]
    await api.post(RUNS, json=data)
    traced = data | {"trace_id": "AB" * 16, "spans": []}
    first = await api.post(RUNS, json=traced)
    assert first.json()["trace_id"] == "ab" * 16
    assert (await api.post(RUNS, json=traced)).status_code == 200
    assert (await api.post(RUNS, json=traced)).json()["id"] == first.json()["id"]
    other = await api.post(RUNS, json=traced | {"output": "x"})
    assert_envelope(other, 409, "CONFLICT")


async def test_runs_without_any_id_are_separate(
    api: httpx2.AsyncClient, data: dict[str, Any]
) -> None:
    del data["external_id"]
    ids = {(await api.post(RUNS, json=data)).json()["id"] for _ in range(3)}
    assert len(ids) == 3


async def test_run_in_the_trash_is_not_reported_again(
    api: httpx2.AsyncClient, data: dict[str, Any]
) -> None:
    url = (await api.post(RUNS, json=data)).headers["location"]
    assert (await api.delete(url)).status_code == 204
    assert_envelope(await api.get(url), 404, "RESOURCE_NOT_FOUND")
    assert_envelope(await api.post(RUNS, json=data), 409, "CONFLICT")
    assert (await api.post(f"{url}/restore")).status_code == 200
    assert (await api.post(RUNS, json=data)).status_code == 200


async def test_equal_reports_at_once_store_one_run(own_database: Database) -> None:
    """Twenty requests over ten connections: one is 201, the others 200."""
    from collections import Counter

    import anyio

    from app.main import create_app
    from tests.conftest import client_of, settings_for
    from tests.factories.users import make_user

    async with own_database.unit_of_work() as session:
        user = await make_user(session)
        agent = await make_agent(session, actor_for(user))
        headers = await key_headers(session, user)
        data = execution_data(agent)
    app = create_app(settings_for("postgresql+asyncpg:///unused"), own_database)
    answers: list[httpx2.Response] = []
    async with client_of(app, headers=headers, timeout=30) as client:

        async def report() -> None:
            answers.append(await client.post(RUNS, json=data))

        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(report)
    assert Counter(answer.status_code for answer in answers) == {200: 19, 201: 1}
    assert len({answer.json()["id"] for answer in answers}) == 1
    async with own_database.unit_of_work() as session:
        assert await session.scalar(select(func.count()).select_from(Execution)) == 1


async def test_batch_items_are_answered_each_on_its_own(
    api: httpx2.AsyncClient, data: dict[str, Any]
) -> None:
    await api.post(RUNS, json=data | {"external_id": "known"})
    far = {"name": "x", "started_at": "9999-12-31T00:00:00Z"}
    items = [
        data | {"external_id": "new"},
        data | {"external_id": "known"},
        data | {"external_id": "known", "output": "other"},
        data | {"external_id": "unknown-agent", "agent_id": 999_999_999},
        data | {"external_id": "bad", "status": "nonsense"},
        data | {"external_id": "far", "spans": [far]},
        data | {"external_id": "dear", "spans": [{"name": "x", "cost": 10**12}]},
        data | {"external_id": "many", "spans": [{"name": "x", "kind": "llm"} | MANY] * 2},
        {"external_id": "\x00"},
        data | {"external_id": "last"},
    ]
    body = (await api.post(f"{RUNS}/batch", json={"items": items})).json()
    assert [item["status"] for item in body["items"]] == [201, 200, 409] + [422] * 6 + [201]
    assert (body["created"], body["known"], body["refused"]) == (2, 1, 7)
    assert [item["index"] for item in body["items"]] == list(range(10))
    assert all(item["error"]["message"] for item in body["items"] if item["status"] >= 400)
    listed = (await api.get(RUNS)).json()["items"]
    assert {row["external_id"] for row in listed} == {"known", "new", "last"}


MANY = {"input_tokens": 2**63 - 1, "started_at": "2026-11-01T10:00:00Z"}


@pytest.mark.parametrize("items", [[], [{}] * 1001, "text", None])
async def test_batch_that_is_none_is_refused(api: httpx2.AsyncClient, items: object) -> None:
    response = await api.post(f"{RUNS}/batch", json={"items": items})
    assert_envelope(response, 422, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    "change",
    [
        {"agent_id": None},
        {"agent": "both"},
        {"trace_id": "xyz"},
        {"trace_id": "0" * 31},
        {"started_at": "2026-11-01T10:00:00"},
        {"started_at": "1969-12-31T23:59:59Z"},
        {"started_at": "2999-01-01T00:00:00Z"},
        {"ended_at": "2026-11-01T09:00:00Z"},
        {"cost": -1},
        {"cost": 1e9},
        {"cost": "0.0000000001"},
        {"input_tokens": -1},
        {"input_tokens": 2**63},
        {"tags": ["x" * 65]},
        {"tags": ["t"] * 51},
        {"source": "playground"},
        {"revision": 99},
        {"spans": [{"name": ""}]},
        {"spans": [{"name": "x", "span_id": "00"}]},
        {"spans": [{"name": "x", "start_ns": 2, "end_ns": 1}]},
        {"spans": [{"name": "x", "started_at": "9999-12-31T23:59:59Z"}]},
        {"spans": [{"name": "x", "cost": 10**12}]},
        {"spans": [{"name": "x", "attributes": {"a": "\x00"}}]},
        {"feedback": [{"name": ""}]},
        {"metadata": []},
        {"input": {"a": "\x00"}},
    ],
    ids=str,
)
async def test_run_outside_the_rules_is_refused(
    api: httpx2.AsyncClient, data: dict[str, Any], change: dict[str, Any]
) -> None:
    assert_envelope(await api.post(RUNS, json=data | change), 422, "VALIDATION_ERROR")


async def test_unknown_cost_is_null_and_free_is_zero(
    api: httpx2.AsyncClient, data: dict[str, Any]
) -> None:
    step = data["spans"][1] | {"model": "no-such-model"}
    unknown = (await api.post(RUNS, json=data | {"spans": [step]})).json()
    assert (unknown["cost"], unknown["cost_source"]) == (None, "unpriced")
    free = (await api.post(RUNS, json=data | {"external_id": "free", "cost": 0})).json()
    assert float(free["cost"]) == 0
    assert free["cost_source"] == "reported"
    none = (await api.post(RUNS, json=data | {"external_id": "no", "spans": []})).json()
    assert (none["input_tokens"], none["output_tokens"]) == (None, None)


async def test_patch_completes_a_run(api: httpx2.AsyncClient, data: dict[str, Any]) -> None:
    running = data | {"status": "running", "ended_at": None, "output": None}
    url = (await api.post(RUNS, json=running)).headers["location"]
    change = {"status": "failed", "ended_at": "2026-11-01T10:01:00Z", "error": "Lost the bag."}
    done = await api.patch(url, json=change, headers={"If-Match": '"1"'})
    assert done.status_code == 200
    assert done.json()["latency_ms"] == 60_000
    found = (await api.get(url)).json()
    assert (found["status"], found["error"]) == ("failed", "Lost the bag.")
    assert found["input"] == data["input"]
    assert_envelope(await api.patch(url, json=change, headers={"If-Match": '"1"'}), 412)
    assert_envelope(await api.patch(url, json={"ended_at": "2026-11-01T09:00:00Z"}), 422)


async def test_final_status_without_an_end_ends_the_run_now(
    api: httpx2.AsyncClient, data: dict[str, Any]
) -> None:
    running = data | {"status": "running", "ended_at": None}
    url = (await api.post(RUNS, json=running)).headers["location"]
    assert (await api.patch(url, json={"status": "cancelled"})).json()["ended_at"] is not None


async def test_a_runtime_completes_its_run_with_the_usual_scopes(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User, data: dict[str, Any]
) -> None:
    scopes = [Permission.AGENTS_READ, Permission.EXECUTIONS_WRITE]
    client.headers.update(await key_headers(session, staff, scopes))
    url = (await client.post(RUNS, json=data | {"status": "running"})).headers["location"]
    done = await client.patch(url, json={"status": "succeeded", "spans": data["spans"]})
    assert done.status_code == 200
    assert_envelope(await client.get(url), 403, "FORBIDDEN")
    assert_envelope(await client.get(f"{url}/trace"), 403, "FORBIDDEN")


async def test_later_spans_replace_those_with_the_same_id_and_repair_the_totals(
    api: httpx2.AsyncClient, data: dict[str, Any]
) -> None:
    url = (await api.post(RUNS, json=data)).headers["location"]
    model = data["spans"][1] | {"input_tokens": 7, "cost": "0.5"}
    late = {
        "span_id": "00000000000000d1",
        "kind": "llm",
        "name": "second",
        "started_at": "2026-11-01T10:00:00.500Z",
        "output_tokens": 3,
    }
    for _ in range(2):
        body = (await api.patch(url, json={"spans": [model, late]})).json()
        assert (body["span_count"], body["input_tokens"], body["output_tokens"]) == (4, 7, 23)
        assert (float(body["cost"]), body["cost_source"]) == (0.5, "reported")
    spans = (await api.get(f"{url}/trace")).json()["spans"]
    assert [span["name"] for span in spans] == ["run", "second", "chat gpt-4o", "find_bag"]
    assert "cost" not in spans[0], "not known"


async def test_span_sent_twice_in_one_report_counts_once(
    api: httpx2.AsyncClient, data: dict[str, Any]
) -> None:
    twice = data | {"spans": [*data["spans"], data["spans"][1] | {"output_tokens": 30}]}
    run = await api.post(RUNS, json=twice)
    assert run.json()["span_count"] == 3
    assert (run.json()["input_tokens"], run.json()["output_tokens"]) == (100, 30)


async def test_trace_holds_the_bodies_by_start_time(
    api: httpx2.AsyncClient, data: dict[str, Any]
) -> None:
    backwards = data | {"spans": data["spans"][::-1]}
    url = (await api.post(RUNS, json=backwards)).headers["location"]
    trace = (await api.get(f"{url}/trace")).json()
    assert [span["kind"] for span in trace["spans"]] == ["agent", "llm", "tool"]
    assert trace["spans"][2]["output"] == "Error: bag not found"
    assert trace["truncated"] is False
    short = (await api.get(f"{url}/trace?limit=1")).json()
    assert (len(short["spans"]), short["truncated"]) == (1, True)


@pytest.mark.parametrize("year", [1970, 1999, 2024])
async def test_run_of_long_ago_lands_and_is_found(
    api: httpx2.AsyncClient, data: dict[str, Any], year: int
) -> None:
    start, end = f"{year}-03-01T00:00:00Z", f"{year}-03-01T00:00:01Z"
    old = data | {"started_at": start, "ended_at": end, "output": "Found in an attic."}
    old["spans"] = [{"name": "x", "started_at": start, "input": {"deep": "inside"}}]
    url = (await api.post(RUNS, json=old)).headers["location"]
    assert (await api.get(url)).json()["output"] == "Found in an attic."
    assert (await api.get(f"{url}/trace")).json()["spans"][0]["input"] == {"deep": "inside"}
    for query in ("q=attic", f"until={year}-03-02T00:00:00Z"):
        assert len((await api.get(f"{RUNS}?{query}")).json()["items"]) == 1


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=attic", True),
        ("q=att+val", True),
        ("q=attic+nothing", False),
        ("q=ext-1", True),
        ("q=EXT-9", False),
        ("q=" + "ab" * 16, True),
        ("status=failed", True),
        ("status=failed,running", True),
        ("status=running&status=failed", True),
        ("status=succeeded", False),
        ("model=m-1", True),
        ("model=m-2", False),
        ("tag=urgent", True),
        ("tag=calm", False),
        ("source=import", True),
        ("source=api", False),
        ("session_id=s-1", True),
        ("external_id=ext-1", True),
        ("since=2026-11-01T10:00:00Z", True),
        ("since=2026-11-01T10:00:01Z", False),
        ("until=2026-11-01T10:00:00Z", False),
        ("agent_id=999999", False),
    ],
)
async def test_runs_are_found_by_filters_and_words(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, query: str, found: bool
) -> None:
    agent = await make_agent(session, actor)
    run = await make_execution(
        session,
        actor,
        agent,
        status="failed",
        source="import",
        external_id="ext-1",
        trace_id="ab" * 16,
        session_id="s-1",
        model="m-1",
        tags=["urgent"],
        output={"text": "In the attic, valise."},
    )
    items = (await api.get(f"{RUNS}?{query}")).json()["items"]
    assert [row["id"] for row in items] == ([run.id] if found else [])


@pytest.mark.parametrize("query", ["status=odd", "agent_id=x", "since=yesterday", "q=%00", "x=1"])
async def test_bad_filter_of_runs_is_refused(api: httpx2.AsyncClient, query: str) -> None:
    assert_envelope(await api.get(f"{RUNS}?{query}"), 422, "VALIDATION_ERROR")


async def test_feedback_sent_along_is_shown(api: httpx2.AsyncClient, data: dict[str, Any]) -> None:
    feedback = [{"name": "helpful", "value": 0}, {"name": "tone", "label": "warm"}]
    url = (await api.post(RUNS, json=data | {"feedback": feedback})).headers["location"]
    shown = (await api.get(url)).json()["feedback"]
    assert [(f["name"], f["label"]) for f in shown] == [("helpful", None), ("tone", "warm")]
    assert float(shown[0]["value"]) == 0


@pytest.mark.parametrize("spans", [[], [{"name": "chat", "start_ns": 1_800_000_000_000_000_000}]])
async def test_run_that_names_its_end_alone_can_be_changed_later(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, spans: list[dict[str, Any]]
) -> None:
    agent = await make_agent(session, actor)
    end = "2026-11-01T10:00:00Z"
    run = {"agent_id": agent.id, "ended_at": end, "spans": spans}
    created = (await api.post(RUNS, json=run)).json()
    assert (created["started_at"], created["latency_ms"]) == (end, 0)
    changed = await api.patch(f"{RUNS}/{created['id']}", json={"tags": ["late"]})
    assert changed.status_code == 200, changed.text


async def test_totals_that_were_reported_outlive_later_steps(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    run = await make_execution(session, actor, agent, input_tokens=7, cost="0.5", status="running")
    step = {"name": "chat", "kind": "llm", "input_tokens": 1000, "output_tokens": 9, "cost": "3"}
    url = f"/api/v1/executions/{run.id}"
    body = (await api.patch(url, json={"spans": [step]})).json()
    assert (body["input_tokens"], float(body["cost"])) == (7, 0.5), "as reported"
    assert body["output_tokens"] == 29, "summed"
    body = (await api.patch(url, json={"input_tokens": None, "spans": [step]})).json()
    assert body["input_tokens"] != 7, "an explicit null gives the sum its place back"
