"""Counting calls of tools: read a piece at a time here, held against schemas in another process."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import structlog

from app.jobs.context import SYSTEM, Resources
from app.services.analysis.runs import Chunk, StepRow
from app.services.analysis.tools import Tools
from app.services.stale_hours import Stale
from app.services.tool_call_counts import (
    STEPS_AT_ONCE,
    Place,
    ToolCallCountService,
    tool_ids_in,
    tools_in,
)

log = structlog.get_logger("greenroom.tool_calls")
# One round: so many hours, and no new one begun after so long.
HOURS_AT_ONCE, ROUND_S = 300, 30.0
# Of one hour so many calls are checked, as long as that takes no longer; all are counted.
CHECKED_CALLS, CHECKED_S = 20_000, 10.0


@dataclass(slots=True)
class Tally:
    """What was found in an hour so far."""

    tools: Tools = field(default_factory=Tools)
    tool_ids: dict[str, int] = field(default_factory=dict)
    calls: int = 0
    checking_s: float = 0.0

    @property
    def checks_on(self) -> bool:
        return self.calls < CHECKED_CALLS and self.checking_s < CHECKED_S


async def count_tool_calls(resources: Resources) -> None:
    """Count every hour anew in which something changed; what is left waits for the next round."""
    until = time.monotonic() + ROUND_S
    async with resources.database.looking() as session:
        due = await ToolCallCountService(session, SYSTEM).due(HOURS_AT_ONCE)
    for stale in due:
        if time.monotonic() > until:
            return
        try:
            await count_hour(resources, stale)
        except Exception:  # one hour that cannot be counted must not keep the others
            log.exception("calls were not counted", agent=stale.agent_id, hour=str(stale.hour))


async def count_hour(resources: Resources, stale: Stale) -> bool:
    """False when somebody else has counted it meanwhile."""
    tally = Tally()
    async for chunk in chunks(resources, stale, tally):
        began = time.monotonic()
        tally.tools.merge(await resources.processes.run(tools_in, chunk))
        tally.checking_s += time.monotonic() - began
        tally.calls += len(chunk.steps)
        tally.tool_ids |= tool_ids_in(chunk)
    async with resources.database.unit_of_work() as session:
        counts = ToolCallCountService(session, SYSTEM)
        return await counts.replace(stale, tally.tools, tally.tool_ids)


async def chunks(resources: Resources, stale: Stale, tally: Tally) -> AsyncIterator[Chunk]:
    after = None
    while True:
        async with resources.database.looking() as session:
            runs = await ToolCallCountService(session, SYSTEM).runs(stale, after)
        if not runs:
            return
        after = runs[-1].started_at, runs[-1].id
        place: Place | None = Place()
        while place is not None:
            async with resources.database.looking() as session:
                counts = ToolCallCountService(session, SYSTEM)
                ids = [run.id for run in runs]
                steps = await counts.steps(ids, place, checks=tally.checks_on)
                chunk = await counts.chunk(runs, steps)
            if steps:
                yield chunk
            place = place_after(steps) if len(steps) == STEPS_AT_ONCE else None


def place_after(steps: list[StepRow]) -> Place:
    return Place(steps[-1].execution_id, steps[-1].start_ns, steps[-1].span_id)
