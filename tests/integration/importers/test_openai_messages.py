"""The import command against a running server, through HTTP only."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.core.database import Database
from tests.importing import imported
from tests.server import Installation, installed

SYSTEM = {"role": "system", "content": "Be kind to passengers. " * 100}
QUESTION = {"role": "user", "content": "Where is my bag? 🧳"}
ANSWER = {"role": "assistant", "content": "In Rome."}
CALL = {"id": "c1", "type": "function", "function": {"name": "find_bag", "arguments": '{"id": 1}'}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
FOUND = {"role": "tool", "tool_call_id": "c1", "name": "find_bag", "content": '{"city": "Roma"}'}
RUN = {
    "task_id": 1,
    "trial": 0,
    "reward": 0.0,
    "traj": [SYSTEM, QUESTION, CALLING, FOUND, ANSWER, QUESTION],
}
OTHER = {"traj": [QUESTION, ANSWER]}


@pytest.fixture
async def home(own_database: Database, tmp_path: Path) -> AsyncIterator[Installation]:
    async with installed(own_database, tmp_path) as home:
        yield home


def write(home: Installation, *runs: Any) -> Path:
    path = home.folder / "runs.json"
    path.write_text(json.dumps(runs))
    return path


async def run_import(home: Installation, path: Path, *options: str) -> tuple[int, str]:
    return await imported(home, "openai-messages", path, "--agent", "airline", *options)


async def rows(home: Installation, statement: str) -> list[tuple[Any, ...]]:
    async with home.database.engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(statement))]


async def state(home: Installation) -> list[tuple[Any, ...]]:
    """What an import that changes nothing leaves alone."""
    counts = ", ".join(
        f"(SELECT count(*) FROM {table})"
        for table in (
            "agents",
            "agent_revisions",
            "agent_tools",
            "tools",
            "executions",
            "execution_bodies",
            "spans",
            "span_bodies",
            "feedback",
        )
    )
    return await rows(home, f"SELECT {counts}, (SELECT max(id) FROM audit_events)")


async def test_agent_tools_runs_and_spans_are_made(home: Installation) -> None:
    code, said = await home.run_import(write(home, RUN, OTHER), "--model", "gpt-4o")
    assert (code, "2 created, 0 known, 0 refused" in said) == (0, True), said
    async with home.api_client() as api:
        (agent,) = (await api.get("/api/v1/agents", params={"name": "airline"})).json()["items"]
        runs = (await api.get("/api/v1/executions")).json()["items"]
        run = next(run for run in runs if run["external_id"] == "tau-bench:1:0")
        detail = (await api.get(f"/api/v1/executions/{run['id']}")).json()
        spans = (await api.get(f"/api/v1/executions/{run['id']}/trace")).json()["spans"]
    assert agent["system_prompt"] == SYSTEM["content"]
    assert agent["max_tokens"] == len(SYSTEM["content"])
    assert [tool["name"] for tool in agent["tools"]] == ["find_bag"]
    assert agent["live_revision"]["number"] == 1
    assert (run["status"], run["error_type"], run["source"]) == (
        "failed",
        "reward_below_1",
        "import",
    )
    assert (run["model"], run["cost"], run["input_tokens"]) == ("gpt-4o", None, None)
    assert detail["metadata"] == {"synthetic_times": True, "task_id": 1, "trial": 0, "reward": 0.0}
    assert detail["feedback"][0]["name"] == "reward"
    assert [span["kind"] for span in spans] == ["agent", "llm", "tool", "llm", "other"]
    assert spans[2]["output"] == {"city": "Roma"}


async def test_importing_again_changes_nothing(home: Installation) -> None:
    path = write(home, RUN, OTHER, OTHER)
    assert (await run_import(home, path))[0] == 0
    before = await state(home)
    code, said = await run_import(home, path)
    assert (code, "0 created, 3 known, 0 refused" in said) == (0, True), said
    assert await state(home) == before


async def test_existing_agent_and_tool_are_kept_and_only_completed(home: Installation) -> None:
    async with home.api_client() as api:
        mine = {"name": "find_bag", "description": "Mine."}
        tool = (await api.post("/api/v1/tools", json=mine)).json()
        other = (await api.post("/api/v1/tools", json={"name": "other"})).json()
        body = {"name": "airline", "model": "mine", "tool_ids": [other["id"]]}
        agent = (await api.post("/api/v1/agents", json=body)).json()
        assert (await run_import(home, write(home, RUN)))[0] == 0
        found = (await api.get(f"/api/v1/agents/{agent['id']}")).json()
        kept = (await api.get(f"/api/v1/tools/{tool['id']}")).json()
    assert (found["model"], found["system_prompt"]) == ("mine", "")
    assert {item["id"] for item in found["tools"]} == {tool["id"], other["id"]}
    assert found["live_revision"]["number"] == 2
    assert kept == tool


async def test_missing_agent_is_not_made_when_told_so(home: Installation) -> None:
    code, said = await run_import(home, write(home, RUN), "--no-create-agent")
    assert (code, "There is no agent called airline." in said) == (1, True)
    assert await rows(home, "SELECT count(*) FROM tools") == [(0,)]


async def test_refused_run_is_named_and_the_others_are_stored(home: Installation) -> None:
    broken = {"traj": [{"role": "user", "content": "a\x00b"}]}
    half = {"traj": [{"role": "user", "content": "\ud83e"}], "task_id": "\ud83e", "trial": 1}
    code, said = await run_import(home, write(home, RUN, broken, half, OTHER))
    assert (code, "2 created, 0 known, 2 refused" in said) == (1, True), said
    assert "Run 2 (sha256:" in said
    assert "must not contain NUL characters" in said
    assert "Traceback" not in said


async def test_run_that_is_stored_with_other_content_is_refused(home: Installation) -> None:
    assert (await run_import(home, write(home, RUN)))[0] == 0
    code, said = await run_import(home, write(home, RUN | {"traj": [QUESTION]}))
    assert (code, "stored already, with other content" in said) == (1, True)


async def test_tool_that_the_product_refuses_is_left_out(home: Installation) -> None:
    defined = [{"name": "x"}, {"name": "weather", "parameters": {"type": 5}}, {"name": "find_bag"}]
    code, said = await run_import(home, write(home, RUN | {"functions": defined}))
    assert (code, said.count("is left out")) == (0, 2), said
    assert await rows(home, "SELECT name FROM tools") == [("find_bag",)]


async def test_what_is_wrong_is_said_and_nothing_is_made(home: Installation) -> None:
    wrong = {
        "This API key is not valid": ("--api-key", "gr_wrong"),
        "name: ": ("--agent", "a b"),
        "--base-time must be a time": ("--base-time", "yesterday"),
    }
    for told, options in wrong.items():
        code, said = await run_import(home, write(home, RUN), *options)
        assert (code, told in said, "Traceback" in said) == (1, True, False), said
    assert await rows(home, "SELECT count(*) FROM agents") == [(0,)]


async def test_times_start_where_they_are_told_to(home: Installation) -> None:
    options = ("--base-time", "2025-01-31T23:30:00+01:00", "--batch-size", "1")
    assert (await run_import(home, write(home, RUN, OTHER), *options))[0] == 0
    starts = await rows(home, "SELECT started_at::text FROM executions ORDER BY started_at")
    assert starts == [("2025-01-31 22:30:00+00",), ("2025-01-31 23:30:00+00",)]
