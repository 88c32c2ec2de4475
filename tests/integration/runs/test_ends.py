"""Runs stop when nobody wants them any more, and none that began is begun again."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from app.core.actor import Actor, Via
from app.core.permissions import Permission, Role
from app.exceptions import Unavailable
from app.models import AgentRun, Job
from app.services.running.asking import LostRunService
from app.services.running.records import RunRecorder
from app.services.upkeep import UpkeepService
from tests.conftest import client_of
from tests.factories.clients import key_headers
from tests.factories.users import make_user
from tests.locks import until_waiting
from tests.provider import Provider, calls, drips, says
from tests.server import ServerProcess
from tests.stage import Json, Stage

SYSTEM = Actor.system(Via.JOB)


async def until_said(provider: Provider, count: int = 1) -> None:
    """Until so many model calls are being answered."""
    for _ in range(400):
        if provider.now >= count:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("The model was not asked.")


async def until_left(provider: Provider) -> None:
    for _ in range(400):
        if provider.cut_off:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("The stream was not left.")


async def until_job(stage: Stage, status: str) -> Json:
    """The newest job once it stands so."""
    for _ in range(400):
        job: Json = (await stage.api.get("/api/v1/jobs")).json()["items"][0]
        if job["status"] == status:
            return job
        await asyncio.sleep(0.02)
    raise AssertionError(f"The job is {job['status']}.")


async def cancel(stage: Stage, execution_id: int) -> httpx2.Response:
    return await stage.api.post(f"/api/v1/executions/{execution_id}/cancel")


async def end_lost(stage: Stage) -> int:
    async with stage.database.unit_of_work() as session:
        return await LostRunService(session, SYSTEM).end_lost()


async def grow_old(stage: Stage, by: str) -> None:
    async with stage.database.unit_of_work() as session:
        await session.execute(text(f"UPDATE agent_runs SET seen_at = now() - interval '{by}'"))


async def left_over(stage: Stage) -> int:
    async with stage.database.looking() as session:
        return int(await session.scalar(text("SELECT count(*) FROM agent_runs")) or 0)


async def until_spans(stage: Stage, execution_id: int, count: int) -> list[Any]:
    """The steps, once there are so many: the last one is stored when the runner has stopped."""
    for _ in range(200):
        if len(spans := await stage.spans(execution_id)) >= count:
            break
        await asyncio.sleep(0.05)
    return spans


async def test_cancelled_run_stops_in_the_middle_of_its_answer(
    stage: Stage, provider: Provider
) -> None:
    provider.will(drips("more "))
    run = (await stage.ask()).json()
    async with stage.working():
        await until_said(provider)
        await asyncio.sleep(1)  # what was said is on its way to the runner, on a busy machine too
        answer = await cancel(stage, run["id"])
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
        await until_left(provider)
        await until_job(stage, "cancelled")
    root, model = await until_spans(stage, run["id"], 2)
    assert root["end_ns"] is not None
    assert model["attributes"]["error.type"] == "cancelled"
    assert model["output"]["content"].startswith("more ")
    found = await stage.read(run["id"])
    assert (found["status"], found["error_type"]) == ("cancelled", "cancelled")
    assert (await cancel(stage, run["id"])).status_code == 409
    assert await left_over(stage) == 0


async def test_watched_run_hears_that_it_was_cancelled(stage: Stage, provider: Provider) -> None:
    provider.will(drips())
    watching = asyncio.create_task(stage.stream())
    await until_said(provider)
    run = (await stage.api.get("/api/v1/executions")).json()["items"][0]
    assert run["status"] == "running"
    await cancel(stage, run["id"])
    assert (await watching)[-1][1]["status"] == "cancelled"


async def test_run_is_cancelled_before_it_begins(stage: Stage, provider: Provider) -> None:
    run = (await stage.ask()).json()
    assert (await cancel(stage, run["id"])).json()["status"] == "cancelled"
    async with stage.working():
        await asyncio.sleep(0.3)
    assert provider.requests == []
    assert (await stage.api.get("/api/v1/jobs")).json()["items"][0]["status"] == "cancelled"


async def test_run_that_waits_for_its_caller_is_cancelled(stage: Stage, provider: Provider) -> None:
    await stage.new_agent({"name": "find_bag"})
    provider.will(calls(("find_bag", {"city": "Rome"})))
    run = (await stage.stream())[-1][1]
    assert (await cancel(stage, run["id"])).json()["status"] == "cancelled"
    results = {"results": [{"tool_call_id": "call_1", "content": 1}]}
    path = f"/api/v1/executions/{run['id']}/tool-results"
    assert (await stage.api.post(path, json=results)).status_code == 409


async def test_job_that_is_cancelled_takes_its_run_with_it(
    stage: Stage, provider: Provider
) -> None:
    provider.will(drips())
    run = (await stage.ask()).json()
    job = (await stage.api.get("/api/v1/jobs")).json()["items"][0]
    async with stage.working() as worker:
        await until_said(provider)
        watching = asyncio.create_task(worker._runner.watch_cancels())
        assert (await stage.api.post(f"/api/v1/jobs/{job['id']}/cancel")).status_code == 200
        assert (await stage.until(run["id"]))["status"] == "cancelled"
        watching.cancel()
    await until_left(provider)


async def test_job_that_is_cancelled_before_it_begins_takes_its_run_with_it(stage: Stage) -> None:
    run = (await stage.ask()).json()
    job = (await stage.api.get("/api/v1/jobs")).json()["items"][0]
    await stage.api.post(f"/api/v1/jobs/{job['id']}/cancel")
    assert await end_lost(stage) == 1
    assert (await stage.read(run["id"]))["status"] == "cancelled"


async def test_worker_that_stops_leaves_the_run_as_interrupted(
    stage: Stage, provider: Provider
) -> None:
    stage.settings.worker_patience_s = 0
    provider.will(drips())
    run = (await stage.ask()).json()
    async with stage.working():
        await until_said(provider)
    found = await stage.read(run["id"])
    assert (found["status"], found["error_type"]) == ("stalled", "interrupted")
    async with stage.working():
        await asyncio.sleep(0.5)
    assert len(provider.requests) == 1
    assert await left_over(stage) == 0


async def test_run_whose_worker_died_is_not_begun_again(stage: Stage, provider: Provider) -> None:
    run = (await stage.ask()).json()
    async with stage.database.unit_of_work() as session:
        await RunRecorder(session, stage.actor).claim(run["id"])  # and then it died
    async with stage.working():
        found = await stage.until(run["id"])
    assert (found["status"], found["error_type"]) == ("stalled", "interrupted")
    assert provider.requests == []
    job = (await stage.api.get("/api/v1/jobs")).json()["items"][0]
    assert job["status"] == "failed"
    assert "not begun again" in job["error"]


async def test_worker_that_was_thought_dead_changes_nothing_any_more(
    stage: Stage, provider: Provider
) -> None:
    provider.will(drips())
    run = (await stage.ask()).json()
    async with stage.working():
        await until_said(provider)
        await grow_old(stage, "5 minutes")
        assert await end_lost(stage) == 1
        await until_left(provider)
    assert (await stage.read(run["id"]))["status"] == "stalled"


async def test_run_that_is_heard_of_while_lost_ones_are_ended_goes_on(stage: Stage) -> None:
    run = (await stage.ask()).json()
    async with stage.database.unit_of_work() as session:
        await RunRecorder(session, stage.actor).claim(run["id"])
    await grow_old(stage, "5 minutes")
    async with stage.database.unit_of_work() as session:
        await session.execute(text("UPDATE agent_runs SET seen_at = now()"))
        ending = asyncio.create_task(end_lost(stage))
        await until_waiting(stage.database)
    assert await ending == 0
    assert (await stage.read(run["id"]))["status"] == "running"


async def test_run_that_is_worked_on_shows_signs_of_life(
    stage: Stage, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.running.runner.BEAT_EVERY", 1)
    provider.will(drips())
    run = (await stage.ask()).json()
    async with stage.working():
        await until_said(provider)
        await grow_old(stage, "5 minutes")
        await asyncio.sleep(1.2)
        assert await end_lost(stage) == 0
        await cancel(stage, run["id"])


@pytest.mark.parametrize(("age", "status"), [("2 hours", "running"), ("25 hours", "stalled")])
async def test_caller_has_a_day_for_tool_results(
    stage: Stage, provider: Provider, age: str, status: str
) -> None:
    await stage.new_agent({"name": "find_bag"})
    provider.will(calls(("find_bag", {"city": "Rome"})))
    run = (await stage.stream())[-1][1]
    await grow_old(stage, age)
    async with stage.database.unit_of_work() as session:
        silent = text(f"UPDATE executions SET updated_at = now() - interval '{age}'")
        await session.execute(silent)
        await UpkeepService(session, SYSTEM).mark_stalled(timedelta(hours=1))
    await end_lost(stage)
    assert (await stage.read(run["id"]))["status"] == status


async def test_run_closed_by_another_hand_is_left_alone(stage: Stage, provider: Provider) -> None:
    provider.will(drips())
    run = (await stage.ask()).json()
    path = f"/api/v1/executions/{run['id']}"
    async with stage.working():
        await until_said(provider)
        await stage.api.patch(path, json={"status": "failed", "error": "Stopped by hand."})
        await until_left(provider)
        await asyncio.sleep(0.3)
    found = await stage.read(run["id"])
    assert (found["status"], found["error"]) == ("failed", "Stopped by hand.")
    await grow_old(stage, "5 minutes")
    await end_lost(stage)
    assert await left_over(stage) == 0
    assert (await stage.read(run["id"]))["status"] == "failed"


async def test_answer_outlives_a_moment_without_the_database(
    stage: Stage, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.will(says("Paid for."))
    finish, failures = RunRecorder.finish, 2

    async def fail_first(self: RunRecorder, *args: Any) -> Any:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise Unavailable("The database is away.")
        return await finish(self, *args)

    monkeypatch.setattr(RunRecorder, "finish", fail_first)
    last = (await stage.stream())[-1][1]
    assert (last["status"], last["output"]) == ("succeeded", "Paid for.")


async def test_many_runs_share_the_places_of_the_process(stage: Stage, provider: Provider) -> None:
    stage.app.state.live_runs.running.provider._turns = asyncio.Semaphore(2)
    ends = await asyncio.gather(*(stage.stream() for _ in range(6)))
    assert {events[-1][1]["status"] for events in ends} == {"succeeded"}
    assert provider.at_once <= 2


async def test_foreign_runs_are_neither_started_nor_stopped(stage: Stage) -> None:
    run = (await stage.ask()).json()
    async with stage.database.unit_of_work() as session:
        headers = await key_headers(session, await make_user(session, Role.MEMBER))
    async with client_of(stage.app, headers=headers) as other:
        paths = [
            f"/api/v1/agents/{stage.agent.id}/run",
            f"/api/v1/executions/{run['id']}/cancel",
            f"/api/v1/executions/{run['id']}/tool-results",
        ]
        body = {"input": "Hi"}
        results = {"results": [{"tool_call_id": "x", "content": 1}]}
        for path in paths:
            sent = body if path.endswith("run") else results
            assert (await other.post(path, json=sent)).status_code == 404, path


async def test_key_that_may_only_run_can_run_and_stop(stage: Stage) -> None:
    async with stage.database.unit_of_work() as session:
        headers = await key_headers(session, stage.user, [Permission.AGENTS_RUN])
    async with client_of(stage.app, headers=headers) as runner:
        path = f"/api/v1/agents/{stage.agent.id}/run"
        run = await runner.post(path, json={"input": "Hi"})
        assert run.status_code == 202
        stopped = await runner.post(f"/api/v1/executions/{run.json()['id']}/cancel")
        assert stopped.json()["status"] == "cancelled"
        assert (await runner.get("/api/v1/executions")).status_code == 403


def server_over(stage: Stage, provider: Provider, folder: Path) -> ServerProcess:
    url = stage.database.engine.url.render_as_string(hide_password=False)
    return ServerProcess(url, folder, OPENAI_BASE_URL=provider.base_url)


async def test_client_that_hangs_up_ends_its_run_and_another_process_can_stop_one(
    stage: Stage, provider: Provider, tmp_path: Path
) -> None:
    provider.will(drips(), drips())
    with server_over(stage, provider, tmp_path) as server:
        url = f"{server.url}/api/v1/agents/{stage.agent.id}/run"
        body, headers = {"input": "Hi", "stream": True}, dict(stage.api.headers)
        async with httpx2.AsyncClient(headers=headers, trust_env=False) as client:
            async with client.stream("POST", url, json=body) as response:
                await anext(response.aiter_text())
                first = int(response.headers["location"].rpartition("/")[2])
            assert (await stage.until(first))["error_type"] == "watcher_left"
            async with client.stream("POST", url, json=body) as response:
                pieces = response.aiter_text()
                said = await anext(pieces)
                second = int(response.headers["location"].rpartition("/")[2])
                await cancel(stage, second)  # in this process, while the server streams
                async for piece in pieces:
                    said += piece
            assert '"status": "cancelled"' in said.rpartition("event: execution")[2]


async def test_server_that_is_told_to_stop_leaves_no_run_open(
    stage: Stage, provider: Provider, tmp_path: Path
) -> None:
    provider.will(drips())
    server = server_over(stage, provider, tmp_path)
    await asyncio.to_thread(server.start)
    url = f"{server.url}/api/v1/agents/{stage.agent.id}/run"
    body, headers = {"input": "Hi", "stream": True}, dict(stage.api.headers)
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False) as client,
        client.stream("POST", url, json=body) as response,
    ):
        await anext(response.aiter_text())
        await asyncio.to_thread(server.stop)
    run: Json = (await stage.api.get("/api/v1/executions")).json()["items"][0]
    assert run["status"] in {"stalled", "cancelled"}
    assert await left_over(stage) == 0


async def test_run_holds_no_transaction_while_the_model_thinks(
    stage: Stage, provider: Provider
) -> None:
    provider.will(drips())
    watching = asyncio.create_task(stage.stream())
    await until_said(provider)
    await asyncio.sleep(0.2)
    open_ones = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND state LIKE 'idle in transaction%'"
    )
    async with stage.database.looking() as session:
        assert await session.scalar(open_ones) == 0
        run = await session.scalar(text("SELECT max(id) FROM executions"))
        assert await session.get(AgentRun, run) is not None
        assert await session.get(Job, 1) is None
    await cancel(stage, int(run or 0))
    await watching
