"""Answers that take their time: event streams, and pages that wait for a run.

The work begins once the request's transaction is committed, and holds none while it lasts.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable

from fastapi import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from app.core.actor import Actor
from app.models import Execution
from app.services.running.events import RunEvent
from app.services.running.live import LiveRuns

EVENT_STREAM = "text/event-stream"
# Proxies such as nginx would hold the events back until there are enough of them.
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def live_runs_of(request: Request) -> LiveRuns:
    runs: LiveRuns = request.app.state.live_runs
    return runs


def wants_stream(request: Request) -> bool:
    return EVENT_STREAM in request.headers.get("accept", "")


def as_event(event: RunEvent) -> str:
    return f"event: {event.name}\ndata: {json.dumps(event.data, ensure_ascii=False)}\n\n"


def run_stream(request: Request, execution: Execution, location: str) -> StreamingResponse:
    """The run's events as server-sent events; a client that hangs up ends the run."""
    runs, actor, execution_id = live_runs_of(request), request.state.actor, execution.id

    async def events() -> AsyncIterator[str]:
        run = runs.start(actor, execution_id)
        try:
            async for event in run.events():
                yield as_event(event)
        finally:
            run.leave()

    headers = HEADERS | {"Location": location}
    return StreamingResponse(events(), media_type=EVENT_STREAM, headers=headers)


class WaitingResponse(Response):
    """Does its work after the commit, then answers with what comes of it."""

    def __init__(self, work: Callable[[], Awaitable[Response]]) -> None:
        super().__init__()
        self._work = work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._work()
        await response(scope, receive, send)


async def run_to_end(runs: LiveRuns, actor: Actor, execution_id: int) -> None:
    """Until the run has ended or waits for its caller."""
    async for _ in runs.start(actor, execution_id).events():
        pass
