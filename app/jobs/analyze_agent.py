"""The analysis of an agent's runs: read piece by piece here, thought through in other processes.

Where that was asked for, a model sums the findings up at the end.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from app.core.wording import plural
from app.exceptions import NotFound
from app.jobs.context import JobContext
from app.models.base import JsonObject
from app.schemas.analyses import AnalysisReport
from app.services.agents import AgentService
from app.services.analyses import asking_of, summary_model_of
from app.services.analysis.engine import Asked, Part, read_chunk, report_of
from app.services.analysis.reader import AnalysisReader, Asking, Place, grouped
from app.services.analysis.runs import Chunk
from app.services.analysis_summaries import summary_of
from app.services.pricing import current_book

# The last percents are for the report.
READING_PERCENT = 95


async def analyze_agent(context: JobContext) -> object:
    """The report as JSON. Raise ``NotFound`` when the agent is gone."""
    attempt = context.attempt
    if attempt.agent_id is None:
        raise NotFound("The agent is no longer here.")
    asking = asking_of(attempt.agent_id, attempt.params)
    matching = await count_runs(context, asking)
    part = await part_of_all(context, asking, min(matching, asking.request.limit))
    asked = Asked(asking.agent_id, asking.request, matching > asking.request.limit)
    report = await context.resources.processes.run(written, part, asked)
    model = summary_model_of(attempt.params)
    return report if model is None else await with_summary(context, report, model)


async def with_summary(context: JobContext, report: JsonObject, model: str) -> JsonObject:
    """No transaction is open while the model is waited for."""
    async with context.step(READING_PERCENT, f"Asking {model} for a summary") as step:
        book = await current_book(step.session)
    found = AnalysisReport.model_validate(report)
    summary = await summary_of(context.resources.running, book, model, found)
    return report | {"summary": summary.model_dump(mode="json")}


def written(part: Part, asked: Asked) -> JsonObject:
    return report_of(part, asked).model_dump(mode="json")


async def count_runs(context: JobContext, asking: Asking) -> int:
    async with context.step(0, "Counting the runs") as step:
        await AgentService(step.session, step.actor).get(asking.agent_id)
        return await AnalysisReader(step.session, step.actor).count(asking)


async def part_of_all(context: JobContext, asking: Asking, wanted: int) -> Part:
    """Reads on while the processes work, no further than they keep up."""
    processes, part = context.resources.processes, Part()
    pending: deque[asyncio.Task[Part]] = deque()
    try:
        async for chunk in chunks(context, asking, wanted):
            pending.append(asyncio.create_task(processes.run(read_chunk, chunk)))
            if len(pending) > processes.size:
                part.merge(await pending.popleft())
        while pending:
            part.merge(await pending.popleft())
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
    return part


async def chunks(context: JobContext, asking: Asking, wanted: int) -> AsyncIterator[Chunk]:
    """The runs, newest first. Each piece is read in a transaction of its own."""
    done, place = 0, None
    while done < wanted and (places := await next_places(context, asking, place, wanted - done)):
        for group in grouped(places):
            await context.progress(
                READING_PERCENT * done // wanted, f"{done:,} of {plural(wanted, 'run')} read"
            )
            async with context.step() as step:
                chunk = await AnalysisReader(step.session, step.actor).read(group)
            yield chunk
            done += len(group)
        place = places[-1]


async def next_places(
    context: JobContext, asking: Asking, after: Place | None, size: int
) -> list[Place]:
    async with context.step() as step:
        return await AnalysisReader(step.session, step.actor).page(asking, after, size)
