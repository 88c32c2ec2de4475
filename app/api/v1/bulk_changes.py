"""Changes of many rows over JSON: tried dry, started as a job, read row by row, undone."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from app.api.deps import requires, service
from app.api.idempotency import Once, OnceDep
from app.api.openapi import created
from app.api.strict_json import StrictRoute
from app.api.v1.pages import CHANGE_ERRORS, CREATE_ERRORS, LIST_ERRORS, READ_ERRORS
from app.core.permissions import Permission
from app.models import BulkChange
from app.schemas.base import MAX_BIGINT, CursorPage
from app.schemas.bulk_changes import (
    BulkChangeCreate,
    BulkChangeQuery,
    BulkChangeRead,
    BulkChangeRowRead,
    BulkChangeStart,
    BulkChangeUndo,
    BulkRowQuery,
)
from app.services.bulk_changes import BulkChangeService

router = APIRouter(prefix="/bulk-changes", tags=["bulk changes"], route_class=StrictRoute)
ChangeId = Annotated[int, Path(ge=1, le=MAX_BIGINT, description="Its id.")]
BulkChangeServiceDep = Annotated[BulkChangeService, Depends(service(BulkChangeService))]
NOTHING_SAID, DRY = BulkChangeStart(), BulkChangeUndo()

READ = [requires(Permission.JOBS_READ)]
WRITE = [requires(Permission.JOBS_WRITE)]
MADE = created(BulkChangeRead, versioned=False) | CHANGE_ERRORS | CREATE_ERRORS


class Made:
    """The answer to what makes a bulk change, once however often it is asked for."""

    def __init__(self, request: Request, response: Response, once: OnceDep) -> None:
        self._prefix = request.app.state.settings.api_v1_prefix
        self._response = response
        self._once: Once = once

    async def answer(self, changes: BulkChangeService, change: BulkChange) -> BulkChangeRead:
        self._response.headers["Location"] = f"{self._prefix}/bulk-changes/{change.id}"
        return await self._once.keep(await changes.read(change), self._response, 201)


MadeDep = Annotated[Made, Depends()]


@router.post("", status_code=201, response_model=BulkChangeRead, dependencies=WRITE, responses=MADE)
async def create_bulk_change(
    data: BulkChangeCreate, changes: BulkChangeServiceDep, made: MadeDep
) -> BulkChangeRead:
    """Try a change of up to 10,000 rows dry or, with `dry_run` false, start it at once.

    A dry run says of each row what would become of it, and is kept for a day. It takes the
    permission that the change of one row takes, beside `jobs:write`; changes of users also ask
    for a recent proof of who you are. What nothing can bring back (`revoke`) is started with its
    name in `confirm`.
    """
    return await made.answer(changes, await changes.create(data))


@router.get("", response_model=CursorPage[BulkChangeRead], dependencies=READ, responses=LIST_ERRORS)
async def list_bulk_changes(
    query: Annotated[BulkChangeQuery, Query()], changes: BulkChangeServiceDep
) -> object:
    """Newest first, those too that were only tried dry: who asked, for what, how it stands."""
    found = await changes.list_changes(query)
    return {"items": await changes.read_each(found.items), "next_cursor": found.next_cursor}


@router.get("/{change_id}", response_model=BulkChangeRead, dependencies=READ, responses=READ_ERRORS)
async def get_bulk_change(change_id: ChangeId, changes: BulkChangeServiceDep) -> BulkChangeRead:
    """How it stands, and how many rows were changed, were so already, or were refused."""
    return await changes.read(await changes.get(change_id))


@router.get(
    "/{change_id}/rows",
    response_model=CursorPage[BulkChangeRowRead],
    dependencies=READ,
    responses=READ_ERRORS,
)
async def list_bulk_change_rows(
    change_id: ChangeId, query: Annotated[BulkRowQuery, Query()], changes: BulkChangeServiceDep
) -> object:
    """What became of each row, or would. Pass `next_cursor` as `cursor` for the following ones."""
    found = await changes.rows(await changes.get(change_id), query)
    return {"items": found.items, "next_cursor": found.next_cursor}


@router.post(
    "/{change_id}/start",
    response_model=BulkChangeRead,
    dependencies=WRITE,
    responses=CHANGE_ERRORS,
)
async def start_bulk_change(
    change_id: ChangeId, changes: BulkChangeServiceDep, data: BulkChangeStart = NOTHING_SAID
) -> BulkChangeRead:
    """Do what the dry run found, as the job `job_id`; 409 where it was started already.

    Rows that were changed since the dry run are refused, each by itself.
    """
    return await changes.read(await changes.start(change_id, data.note, data.confirm))


@router.post(
    "/{change_id}/undo",
    status_code=201,
    response_model=BulkChangeRead,
    dependencies=WRITE,
    responses=MADE,
)
async def undo_bulk_change(
    change_id: ChangeId,
    changes: BulkChangeServiceDep,
    made: MadeDep,
    data: BulkChangeUndo = DRY,
) -> BulkChangeRead:
    """Put back what it changed: another bulk change, tried dry or started at once.

    Rows that somebody has changed since are refused. 409 before the change has ended.
    """
    undo = await changes.undo(change_id, data.note, dry_run=data.dry_run)
    return await made.answer(changes, undo)
