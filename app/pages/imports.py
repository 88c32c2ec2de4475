"""Imports of agents and tools: a file, a preview of each row, and the word to go on."""

from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path, Query, Request
from starlette.datastructures import UploadFile
from starlette.responses import Response

from app.core.permissions import Permission
from app.core.texts import _, lazy
from app.core.wording import number
from app.exceptions import AppError, BadRequest
from app.models import Import
from app.pages import listing
from app.pages.deps import personal, requires
from app.pages.render import redirect, render, wants_fragment
from app.schemas.base import MAX_BIGINT
from app.schemas.imports import Mode, PlannedRow, RowState
from app.services.import_files import MAX_BYTES, MAX_ROWS
from app.services.imports import ImportService, known_fields, places_left, rows_at, states_of

ImportId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
StateQuery = Annotated[RowState | None, Query(alias="show")]
PageQuery = Annotated[int, Query(ge=1, le=MAX_ROWS)]
ModeForm = Annotated[Mode | None, Form()]
ImportServiceDep = Annotated[ImportService, Depends(personal(ImportService))]
PAGE_SIZE = 100
router = APIRouter(prefix="/imports")
NOUNS = {"agents": "agent", "tools": "tool"}
TABS = {
    RowState.NEW: lazy("New"),
    RowState.CHANGED: lazy("Changed"),
    RowState.UNCHANGED: lazy("Unchanged"),
    RowState.REFUSED: lazy("Refused"),
}


def form_page(request: Request, resource: str, error: str = "", status: int = 200) -> Response:
    context = {
        "resource": resource,
        "error": error,
        "fields": known_fields(resource),
        "max_mb": MAX_BYTES // 1024**2,
        "max_rows": MAX_ROWS,
    }
    return render(request, "pages/imports/form.html", context, status)


async def uploaded(request: Request) -> tuple[str, bytes]:
    """Name and content, read no further than one byte too many. Raise ``BadRequest``."""
    form = await request.form(max_files=1, max_fields=5)
    file = form.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        raise BadRequest(lazy("Choose a file."), field="file")
    return file.filename, await file.read(MAX_BYTES + 1)


async def ask(request: Request) -> Response:
    return form_page(request, resource_of(request))


async def upload(request: Request, imports: ImportServiceDep) -> Response:
    resource = resource_of(request)
    try:
        async with imports.session.begin_nested():
            row = await imports.preview(resource, *await uploaded(request))
    except AppError as error:
        if error.field != "file":
            raise
        return form_page(request, resource, error.message, error.status)
    return redirect(request, f"/imports/{row.id}")


# The permission of tools is asked for by the service: it depends on the file.
@router.get("/{import_id}", dependencies=[requires(Permission.AGENTS_WRITE)])
async def show_import(
    request: Request,
    import_id: ImportId,
    imports: ImportServiceDep,
    state: StateQuery = None,
    page: PageQuery = 1,
) -> Response:
    """What would become of each row, or what became of it; fetched again while it is done."""
    context = preview_context(request, await imports.get(import_id), state, page)
    context["may_cancel"] = imports.actor.may(Permission.JOBS_WRITE)
    name = "_import.html" if wants_fragment(request) else "preview.html"
    return render(request, f"pages/imports/{name}", context)


@router.post("/{import_id}", dependencies=[requires(Permission.AGENTS_WRITE)])
async def confirm_import(
    request: Request, import_id: ImportId, imports: ImportServiceDep, mode: ModeForm = None
) -> Response:
    """Rows are written by a job: nobody waits for all of them."""
    await imports.start(import_id, mode)
    return redirect(request, f"/imports/{import_id}")


def preview_context(
    request: Request, row: Import, state: RowState | None, page: int
) -> dict[str, Any]:
    states = states_of(row)
    counts = Counter(states)
    wanted = [place for place, each in enumerate(states) if state in (None, each)]
    first = (page - 1) * PAGE_SIZE
    some = wanted[first : first + PAGE_SIZE]
    path = request.url.path
    return {
        "import_": row,
        "job": row.job,
        "here": listing.here(request),
        "resource": row.resource,
        "noun": NOUNS[row.resource],
        "lines": [
            (planned, outcome(row, place, planned))
            for place, planned in zip(some, rows_at(row, some), strict=True)
        ],
        "counts": {one.value: counts[one] for one in RowState},
        "state": state.value if state else "",
        "tabs": [("", _("All %(count)s", count=number(len(states))), path)]
        + [(s.value, f"{TABS[s]} {counts[s]:,}", f"{path}?show={s}") for s in RowState],
        "left": len(places_left(row)),
        "failed": sum(problem is not None for problem in row.results.values()),
        "written": sum(problem is None for problem in row.results.values()),
        "links": {
            "newer": page_href(request, page - 1) if page > 1 else None,
            "older": page_href(request, page + 1) if first + PAGE_SIZE < len(wanted) else None,
        },
        "summary": _(
            "%(first)s to %(last)s of %(count)s rows",
            first=number(first + 1 if some else 0),
            last=number(first + len(some)),
            count=number(len(wanted)),
        ),
    }


def page_href(request: Request, page: int) -> str:
    return listing.href(request.url.path, listing.current_params(request) | {"page": page})


def outcome(row: Import, place: int, planned: PlannedRow) -> tuple[str, str]:
    """``(what became of it, why not)``; both empty in a preview."""
    if row.mode is None:
        return "", ""
    problem = row.results.get(str(place), "")
    if problem is None:
        return ("created" if planned.state is RowState.NEW else "updated"), ""
    return ("refused", problem) if problem else ("", "")


def resource_of(request: Request) -> str:
    return request.url.path.split("/")[1]


def uploads(resource: str, permission: Permission) -> APIRouter:
    """Before the resource's own router, which takes what follows its name for an id."""
    made = APIRouter(prefix=f"/{resource}/import", dependencies=[requires(permission)])
    made.add_api_route("", ask, methods=["GET"])
    made.add_api_route("", upload, methods=["POST"])
    return made


ROUTERS = (
    router,
    uploads("agents", Permission.AGENTS_WRITE),
    uploads("tools", Permission.TOOLS_WRITE),
)
