"""Running agents over JSON: ask for a run, hand in tool results, stop it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response

from app.api.deps import asking, requires
from app.api.idempotency import OnceDep
from app.api.openapi import responses
from app.api.streams import EVENT_STREAM, live_runs_of, run_stream, wants_stream
from app.api.strict_json import StrictRoute
from app.api.v1.pages import CHANGE_ERRORS, CREATE_ERRORS
from app.core.permissions import Permission
from app.exceptions import Invalid
from app.models import Execution
from app.schemas.base import MAX_BIGINT
from app.schemas.executions import ExecutionRead
from app.schemas.runs import RunCreate, ToolResults
from app.services.running.asking import Asked, RunService

router = APIRouter(tags=["runs"], route_class=StrictRoute)
RowId = Annotated[int, Path(ge=1, le=MAX_BIGINT, description="Its id.")]
RUN = [requires(Permission.AGENTS_RUN)]
EVENTS = (
    'event: started\ndata: {"execution_id": 7}\n\n'
    'event: delta\ndata: {"text": "It is", "turn": 1}\n\n'
    'event: execution\ndata: {"id": 7, "status": "succeeded", "output": "It is in Rome."}\n\n'
)
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": 'With `Accept: text/event-stream` or `"stream": true`: the events started, '
        "delta, tool_call, tool_result, requires_action and, last, execution.",
        "content": {EVENT_STREAM: {"schema": {"type": "string"}, "example": EVENTS}},
    },
    202: {
        "model": ExecutionRead,
        "description": "It runs in the background; read it at Location.",
        "headers": {"Location": {"description": "The run.", "schema": {"type": "string"}}},
    },
}


async def get_runs(request: Request) -> RunService:
    provider = live_runs_of(request).running.provider
    return RunService(*asking(request), provider)


RunServiceDep = Annotated[RunService, Depends(get_runs)]


async def answer(
    request: Request, response: Response, runs: RunService, execution: Execution, *, streams: bool
) -> Any:  # the execution, or a response
    """The run as it happens, or a promise that it is worked on."""
    location = f"{request.app.state.settings.api_v1_prefix}/executions/{execution.id}"
    if streams or wants_stream(request):
        return run_stream(request, execution, location)
    response.headers["Location"] = location
    return ExecutionRead.model_validate(await runs.enqueue(execution))


@router.post(
    "/agents/{agent_id}/run",
    status_code=202,
    response_model=ExecutionRead,
    dependencies=RUN,
    responses={**CREATE_ERRORS, **responses(404), **ANSWERS},
)
async def run_agent(
    agent_id: RowId,
    data: RunCreate,
    runs: RunServiceDep,
    request: Request,
    response: Response,
    once: OnceDep,
) -> Any:
    """Run the live revision, or the one you name, through the model provider.

    Tools of kind http that have an endpoint are called; calls of all others are yours: the run
    then waits, its output names them, and it goes on with `POST /executions/{id}/tool-results`.
    409 PROVIDER_NOT_CONFIGURED where the operator has set no provider.
    """
    execution = await runs.begin(Asked(agent_id, data))
    found = await answer(request, response, runs, execution, streams=data.stream)
    if not isinstance(found, Response):
        return await once.keep(found, response, 202)
    if "idempotency-key" in request.headers:
        raise Invalid("A stream cannot be sent again: leave out Idempotency-Key.")
    return found


@router.post(
    "/executions/{execution_id}/tool-results",
    status_code=202,
    response_model=ExecutionRead,
    dependencies=RUN,
    responses={**CHANGE_ERRORS, **ANSWERS},
)
async def submit_tool_results(
    execution_id: RowId,
    data: ToolResults,
    runs: RunServiceDep,
    request: Request,
    response: Response,
) -> Any:
    """Hand in the results of all calls that the run waits for; it goes on with them."""
    execution = await runs.submit(execution_id, data)
    return await answer(request, response, runs, execution, streams=data.stream)


@router.post(
    "/executions/{execution_id}/cancel",
    response_model=ExecutionRead,
    dependencies=RUN,
    responses=CHANGE_ERRORS,
)
async def cancel_execution(execution_id: RowId, runs: RunServiceDep) -> Execution:
    """End an open run now; work on it stops within a moment, wherever it goes on. 409 once ended.

    A run that a runtime of yours reports is marked; the runtime sees so when it reads it.
    """
    return await runs.recorder.cancel(execution_id)
