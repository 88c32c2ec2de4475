"""Work in other processes: done, failing, dying, cancelled, and never in the event loop's way."""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Awaitable
from pathlib import Path

import pytest

from app.core.process_pool import ProcessPool
from app.core.security import verify_password
from app.exceptions import WorkInterrupted
from app.services.analysis.engine import read_chunk
from app.services.analysis.runs import Chunk, RevisionRow, RunRow, StepRow
from tests.factories.users import HASHED_PASSWORD, PASSWORD
from tests.integration.pool_work import die, hang, process_id, refuse


def process_in(path: Path) -> int | None:
    text = path.read_text() if path.exists() else ""
    return int(text) if text else None


def end_at_once(process: int) -> None:
    """It is dead, and the event loop has had no time to hear of it."""
    os.kill(process, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)


async def begun(path: Path) -> int:
    """The process that hangs, once it does."""
    for _ in range(2_000):
        if process := process_in(path):
            return process
        await asyncio.sleep(0.01)
    raise AssertionError("The work does not begin.")


async def gone(process: int) -> bool:
    for _ in range(500):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        await asyncio.sleep(0.01)
    return False


async def test_work_is_done_elsewhere_by_one_process_after_the_other() -> None:
    pool = ProcessPool(1)
    first, second = await pool.run(process_id), await pool.run(process_id)
    assert first != os.getpid()
    assert second == first


async def test_what_the_work_raises_is_raised_here() -> None:
    with pytest.raises(ValueError, match="of no use"):
        await ProcessPool(1).run(refuse, "of no use")


async def test_process_that_dies_is_said_to_and_replaced() -> None:
    pool = ProcessPool(1)
    with pytest.raises(WorkInterrupted):
        await pool.run(die)
    assert await pool.run(process_id)


async def test_process_that_was_killed_while_it_waited_is_replaced() -> None:
    pool = ProcessPool(1)
    process = await pool.run(process_id)
    end_at_once(process)
    assert await pool.run(process_id) != process


async def test_process_of_cancelled_work_is_ended(tmp_path: Path) -> None:
    pool, path = ProcessPool(1), tmp_path / "pid"
    work = asyncio.create_task(pool.run(hang, str(path)))
    process = await begun(path)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert await gone(process)
    assert await pool.run(process_id)


async def test_work_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    pool, path = ProcessPool(1, patience_s=5), tmp_path / "pid"
    await pool.run(process_id)  # the process is there: the time is the work's own
    pool = ProcessPool(1, patience_s=0.2)
    with pytest.raises(WorkInterrupted, match="too long"):
        await pool.run(hang, str(path))
    assert await gone(await begun(path))


def heavy_chunk() -> Chunk:
    """Runs that take the analysis about half a second."""
    said = json.dumps({"role": "assistant", "content": "word " * 200})
    runs = [
        RunRow(n, 1, "succeeded", None, 1_000, None, None, None, said, False, n) for n in range(100)
    ]
    steps = [
        StepRow(
            run.id,
            place.to_bytes(8, "big"),
            None,
            *(("tool", "find", "error") if place % 2 else ("llm", "chat", "ok")),
            place,
            place + 1,
            "gpt-4o",
            "find" if place % 2 else None,
            *(None, None, None),
            json.dumps({"n": place} if place % 2 else [{"role": "user", "content": "x" * 400}]),
            json.dumps("Error: none") if place % 2 else said,
            None,
            True,
        )
        for run in runs
        for place in range(60)
    ]
    schema = {"type": "object", "properties": {"n": {"type": "string"}}}
    tools = {"tools": [{"name": "find", "parameters": schema}], "max_tokens": None}
    return Chunk(runs, steps, {1: RevisionRow(1, json.dumps(tools))})


async def longest_wait_s(work: Awaitable[object]) -> float:
    """The longest time for which the event loop could do nothing else, beside 20 logins."""
    longest, task = 0.0, asyncio.ensure_future(work)
    logins = [asyncio.create_task(verify_password(PASSWORD, HASHED_PASSWORD)) for _ in range(20)]
    while not (task.done() and all(login.done() for login in logins)):
        before = time.perf_counter()
        await asyncio.sleep(0.001)
        longest = max(longest, time.perf_counter() - before)
    await asyncio.gather(task, *logins)
    return longest


async def test_event_loop_goes_on_during_an_analysis_and_twenty_logins() -> None:
    pool, chunk = ProcessPool(1), heavy_chunk()
    await pool.run(process_id)
    elsewhere = await longest_wait_s(pool.run(read_chunk, chunk))

    async def in_the_way() -> None:
        read_chunk(chunk)

    here = await longest_wait_s(in_the_way())
    assert elsewhere < here / 2, f"{elsewhere * 1000:.0f} ms, and {here * 1000:.0f} in the loop"
