"""Runs over JSON: report one or many, complete them, list and read them."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.responses import StreamingResponse

from app.api.answers import ExecutionAnswerDep
from app.api.deps import IfMatchDep, etag, requires, service
from app.api.downloads import FILES, download
from app.api.idempotency import OnceDep
from app.api.openapi import created
from app.api.quick import LookingRoute
from app.api.strict_json import StrictRoute
from app.api.v1.pages import (
    CHANGE_ERRORS,
    CHANGED,
    CREATE_ERRORS,
    LIST_ERRORS,
    READ_ERRORS,
    cursor_page,
    missing_of,
)
from app.core.permissions import Permission
from app.models import Execution
from app.schemas.agents import Action, action_for
from app.schemas.base import MAX_BIGINT, CursorPage
from app.schemas.bulk import Bulk, BulkAnswer, Change, RowVersion
from app.schemas.executions import (
    MAX_SPANS,
    BatchAnswer,
    ExecutionAcknowledged,
    ExecutionBatch,
    ExecutionCreate,
    ExecutionDetail,
    ExecutionQuery,
    ExecutionRead,
    ExecutionReported,
    ExecutionUpdate,
    TraceRead,
)
from app.schemas.exports import ExecutionExport
from app.schemas.feedback import FeedbackCreate, FeedbackRead
from app.services import export_sources
from app.services.bulk import delete_each, update_each
from app.services.executions import ExecutionService
from app.services.feedback import FeedbackService
from app.services.ingestion.exports import RunExport
from app.services.ingestion.otlp import JSON
from app.services.spans import SpanService

router = APIRouter(prefix="/executions", tags=["executions"], route_class=StrictRoute)
ExecutionId = Annotated[int, Path(ge=1, le=MAX_BIGINT, description="Its id.")]
ExecutionServiceDep = Annotated[ExecutionService, Depends(service(ExecutionService))]

READ = [requires(Permission.EXECUTIONS_READ)]
WRITE = [requires(Permission.EXECUTIONS_WRITE)]
DELETE = [requires(Permission.EXECUTIONS_DELETE)]
ACKNOWLEDGED = ("id", "trace_id", "row_version")
Reported = ExecutionReported | ExecutionAcknowledged
KNOWN: dict[int | str, dict[str, Any]] = {
    200: {"model": Reported, "description": "This run was stored before."}
}
OTLP_EXPORT: dict[str, Any] = {
    "description": "A download.",
    "content": {JSON: {"schema": {"type": "object", "required": ["resourceSpans"]}}},
}


def reported(runs: ExecutionService, execution: Execution, action: Action) -> Reported:
    """The run, or what a runtime needs where its key reports and does not read."""
    shown = ExecutionRead.model_validate(execution).model_dump()
    if not runs.actor.may(Permission.EXECUTIONS_READ):
        return ExecutionAcknowledged(**{k: shown[k] for k in ACKNOWLEDGED}, action=action)
    return ExecutionReported(**shown, action=action)


@router.post(
    "",
    status_code=201,
    response_model=Reported,
    dependencies=WRITE,
    responses={**created(Reported), **CREATE_ERRORS, **KNOWN},
)
async def create_execution(
    data: ExecutionCreate,
    runs: ExecutionServiceDep,
    request: Request,
    response: Response,
    once: OnceDep,
) -> Reported:
    """Report a run with its spans. The same run sent again answers 200 and changes nothing.

    A key that does not read runs is answered with the id, the version and `action` alone.
    `action` is `stop` while the agent is paused: the run is stored, the next one is not to begin.
    """
    recorded = await runs.record(data)
    response.status_code = 201 if recorded.is_new else 200
    response.headers["Location"] = f"{request.url.path}/{recorded.execution.id}"
    response.headers["ETag"] = etag(recorded.execution.row_version)
    answer = reported(runs, recorded.execution, recorded.action)
    return await once.keep(answer, response, 201)


@router.post("/batch", response_model=BatchAnswer, dependencies=WRITE, responses=CREATE_ERRORS)
async def record_executions(
    data: ExecutionBatch, runs: ExecutionServiceDep, response: Response, once: OnceDep
) -> BatchAnswer:
    """Report up to 1,000 runs; each is answered on its own. The answer means: stored."""
    items = await runs.record_batch(data)
    statuses = [item.status for item in items]
    answer = BatchAnswer(
        created=statuses.count(201),
        known=statuses.count(200),
        refused=sum(status >= 400 for status in statuses),
        items=items,
    )
    return await once.keep(answer, response, 200)


@router.patch("/batch", response_model=BulkAnswer, dependencies=WRITE, responses=CREATE_ERRORS)
async def update_executions(
    data: Bulk[Change[ExecutionUpdate]], runs: ExecutionServiceDep
) -> BulkAnswer:
    """Change up to 100; each is answered on its own, with 412 where its version is old."""
    return await update_each(runs, data.items)


@router.post(
    "/batch/delete", response_model=BulkAnswer, dependencies=DELETE, responses=CREATE_ERRORS
)
async def delete_executions(data: Bulk[RowVersion], runs: ExecutionServiceDep) -> BulkAnswer:
    """Move up to 100 to the trash; each is answered on its own."""
    return await delete_each(runs, data.items)


async def list_executions(
    query: Annotated[ExecutionQuery, Query()], runs: ExecutionServiceDep
) -> Response:
    """Newest first. Pass `next_cursor` as `cursor` for the following ones."""
    found = await runs.list_json(query)
    missing = missing_of(query.ids, {item.id for item in found.items})
    return cursor_page([item.json for item in found.items], found.next_cursor, missing)


router.add_api_route(
    "",
    list_executions,
    response_model=CursorPage[ExecutionRead],
    dependencies=READ,
    responses=LIST_ERRORS,
    route_class_override=LookingRoute,
)


@router.get(
    "/export",
    dependencies=READ,
    response_class=StreamingResponse,
    responses={200: FILES, **LIST_ERRORS},
)
async def export_executions(
    asked: Annotated[ExecutionExport, Query()], runs: ExecutionServiceDep, request: Request
) -> StreamingResponse:
    """All runs that match, newest first, as one file; it is on record with the filter.

    Runs that arrive meanwhile are not in it. An export that fails on the way is cut off: its body
    ends without the last chunk, which HTTP clients report as an error.
    """
    query = ExecutionQuery(**asked.model_dump(exclude={"format", "bodies"}))
    wanted = export_sources.RunsAsked(query, asked.format, bodies=asked.bodies)
    export = export_sources.executions(runs.actor, wanted)
    return await download(request, runs.actor, export, asked.format)


@router.get(
    "/{execution_id}", response_model=ExecutionDetail, dependencies=READ, responses=READ_ERRORS
)
async def get_execution(
    execution_id: ExecutionId, runs: ExecutionServiceDep, response: Response
) -> Any:
    """One run with its input, output, error, metadata and feedback.

    The first four are null too once retention has removed them.
    """
    execution = await runs.get(execution_id)
    body = await runs.find_body(execution)
    response.headers["ETag"] = etag(execution.row_version)
    return ExecutionRead.model_validate(execution).model_dump(by_alias=False) | {
        "revision": execution.agent_revision.number if execution.agent_revision else None,
        "input": body and body.input,
        "output": body and body.output,
        "error": body and body.error,
        "metadata": body and body.details,
        "feedback": await FeedbackService(runs.session, runs.actor).of(execution),
    }


@router.get(
    "/{execution_id}/trace",
    response_model=TraceRead,
    dependencies=READ,
    responses=READ_ERRORS,
)
async def get_trace(
    execution_id: ExecutionId,
    runs: ExecutionServiceDep,
    limit: Annotated[int, Query(ge=1, le=MAX_SPANS, description="How many.")] = MAX_SPANS,
) -> Any:
    """The spans of a run by start time, with their bodies; what is not known is left out."""
    execution = await runs.get(execution_id)
    spans = await SpanService(runs.session, runs.actor).with_bodies(execution, limit)
    return {
        "execution": execution,
        "spans": spans,
        "truncated": execution.span_count > len(spans),
    }


@router.get(
    "/{execution_id}/otlp",
    dependencies=READ,
    response_class=StreamingResponse,
    responses={200: OTLP_EXPORT, **READ_ERRORS},
)
async def export_execution(
    execution_id: ExecutionId, runs: ExecutionServiceDep, request: Request
) -> StreamingResponse:
    """The run as an ExportTraceServiceRequest in OTLP's JSON, all spans: POST /v1/traces takes it.

    Spans that came by OpenTelemetry are as they came, but for secrets; others are in its words.
    """
    execution = await runs.get(execution_id)
    export = RunExport(request.app.state.database, runs.actor, execution.id)
    name = f"{execution.trace_hex}.otlp.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(export.chunks(), media_type=JSON, headers=headers)


@router.post(
    "/{execution_id}/feedback",
    status_code=201,
    response_model=FeedbackRead,
    dependencies=WRITE,
    responses={**created(FeedbackRead), **CHANGE_ERRORS},
)
async def give_feedback(
    execution_id: ExecutionId,
    data: FeedbackCreate,
    runs: ExecutionServiceDep,
    request: Request,
    response: Response,
    once: OnceDep,
) -> FeedbackRead:
    """Say how a run, or one of its steps, went. It is added to what was said before."""
    execution = await runs.get(execution_id)
    given = await FeedbackService(runs.session, runs.actor).give(execution, data)
    response.headers["Location"] = request.url.path.removesuffix("/feedback")
    return await once.keep(FeedbackRead.model_validate(given), response, 201)


@router.patch(
    "/{execution_id}",
    response_model=Reported,
    dependencies=WRITE,
    responses=CHANGE_ERRORS,
)
async def update_execution(
    execution_id: ExecutionId,
    data: ExecutionUpdate,
    runs: ExecutionServiceDep,
    version: IfMatchDep,
    response: Response,
) -> Reported:
    """Complete a run: status, output, end, tokens; `spans` are added to those it has.

    `action` is `stop` while the agent is paused.
    """
    execution = await runs.update(execution_id, data, version)
    response.headers["ETag"] = etag(execution.row_version)
    return reported(runs, execution, action_for(is_active=execution.agent.is_active))


@router.delete("/{execution_id}", status_code=204, dependencies=DELETE, responses=CHANGE_ERRORS)
async def delete_execution(
    execution_id: ExecutionId, runs: ExecutionServiceDep, version: IfMatchDep
) -> None:
    """Move to the trash; restore brings it back."""
    await runs.delete(execution_id, version)


@router.post(
    "/{execution_id}/restore",
    response_model=ExecutionRead,
    dependencies=DELETE,
    responses=CHANGED,
)
async def restore_execution(
    execution_id: ExecutionId, runs: ExecutionServiceDep, answer: ExecutionAnswerDep
) -> Any:
    """Bring back from the trash."""
    return answer(await runs.restore(execution_id))
