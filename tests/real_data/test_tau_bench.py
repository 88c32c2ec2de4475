"""All published runs of the airline agent, imported over HTTP into a running server."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from app.core.config import PROJECT_ROOT
from app.models.base import Base
from tests.server import Installation

FILE = PROJECT_ROOT.parent / "shared" / "data" / "tau-bench" / "gpt-4o-airline.json"
RUNS, MESSAGES, TOOL_CALLS, TOOLS = 120, 3636, 810, 14

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not FILE.exists(), reason="the published runs are not here"),
]


async def rows(home: Installation, statement: str) -> list[tuple[Any, ...]]:
    async with home.database.engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(statement))]


async def number(home: Installation, statement: str) -> int:
    [(value,)] = await rows(home, statement)
    return int(value)


async def state(home: Installation) -> dict[str, int]:
    """Row counts of all tables, and the newest audit event; seals come in their own time."""
    tables = set(Base.metadata.tables) - {"audit_seals"}
    counts = {name: await number(home, f"SELECT count(*) FROM {name}") for name in sorted(tables)}
    return counts | {"audit": await number(home, "SELECT max(id) FROM audit_events")}


def said_in(kind: str, given: Any, output: Any) -> Iterator[dict[str, Any]]:
    """The messages that a span shows as they were."""
    if kind != "tool":
        yield from (given or {}).get("messages", [])
        if output is not None:
            yield output


async def conversations(home: Installation) -> dict[str, list[dict[str, Any]]]:
    """The messages in the spans of each run, in the order of the spans, by external id."""
    found: dict[str, list[dict[str, Any]]] = {}
    statement = (
        "SELECT e.external_id, s.kind, b.input, b.output FROM executions e "
        "JOIN spans s ON s.execution_id = e.id JOIN span_bodies b ON b.trace_id = s.trace_id "
        "AND b.span_id = s.span_id AND b.started_at = s.started_at "
        "ORDER BY e.id, s.start_ns, s.end_ns"
    )
    for external_id, kind, given, output in await rows(home, statement):
        found.setdefault(external_id, []).extend(said_in(kind, given, output))
    return found


async def assert_complete(home: Installation) -> None:
    """Each run once, each of its messages once and in order, and a step for each tool call."""
    runs = json.loads(FILE.read_text())
    expected = {f"tau-bench:{run['task_id']}:{run['trial']}": run["traj"] for run in runs}
    assert len(expected) == RUNS
    assert await number(home, "SELECT count(*) FROM executions") == RUNS
    assert await number(home, "SELECT count(*) FROM execution_bodies") == RUNS
    assert await number(home, "SELECT count(*) FROM spans WHERE kind = 'tool'") == TOOL_CALLS
    found = await conversations(home)
    assert sum(map(len, found.values())) == MESSAGES
    assert found == expected


def failed_calls() -> int:
    messages = (message for run in json.loads(FILE.read_text()) for message in run["traj"])
    return sum(m["role"] == "tool" and m["content"].startswith("Error") for m in messages)


async def recorded(home: Installation, at_least: int) -> None:
    """Wait until so many runs are committed."""
    for _ in range(2000):
        if await number(home, "SELECT count(*) FROM executions") >= at_least:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the import does not get on")


async def test_import_keeps_every_message_and_importing_again_changes_nothing(
    home: Installation,
) -> None:
    code, said = await home.run_import(FILE, "--model", "gpt-4o")
    assert (code, "120 created, 0 known, 0 refused" in said) == (0, True), said
    await assert_complete(home)
    errors = "SELECT count(*) FROM spans WHERE kind = 'tool' AND status = 'error'"
    assert await number(home, errors) == failed_calls()
    assert await rows(home, "SELECT status, count(*) FROM executions GROUP BY 1 ORDER BY 1") == [
        ("failed", 84),
        ("succeeded", 36),
    ]
    assert await number(home, "SELECT count(*) FROM agent_tools") == TOOLS
    before = await state(home)
    code, said = await home.run_import(FILE, "--model", "gpt-4o")
    assert (code, "0 created, 120 known, 0 refused" in said) == (0, True), said
    assert await state(home) == before
    assert before["agent_revisions"] == 1


async def test_import_outlives_a_server_that_is_killed(home: Installation) -> None:
    process = home.start_import(FILE, "--batch-size", "3")
    try:
        await recorded(home, 20)
        await asyncio.to_thread(home.server.kill)
        killed_at = await number(home, "SELECT count(*) FROM executions")
        await asyncio.to_thread(home.server.start)
        _, said = await asyncio.to_thread(process.communicate)
    finally:
        process.kill()
    assert killed_at < RUNS
    assert "Cannot reach" in said
    assert process.returncode == 0, said
    await assert_complete(home)
    code, said = await home.run_import(FILE)
    assert (code, "0 created, 120 known, 0 refused" in said) == (0, True), said
    await assert_complete(home)


async def test_import_that_was_killed_is_completed_by_the_next(home: Installation) -> None:
    process = home.start_import(FILE, "--batch-size", "3")
    try:
        await recorded(home, 20)
    finally:
        process.kill()
        await asyncio.to_thread(process.communicate)
    stored = await number(home, "SELECT count(*) FROM executions")
    assert stored < RUNS
    code, said = await home.run_import(FILE)
    assert code == 0, said
    await assert_complete(home)
