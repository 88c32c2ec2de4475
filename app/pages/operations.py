"""Operations on a page: how the installation is doing, for superusers."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.core.permissions import Permission
from app.pages.deps import StaffDep, requires
from app.pages.render import render, wants_fragment
from app.services.operations.report import Operations

router = APIRouter(prefix="/operations")
READ = [requires(Permission.OPERATIONS_READ)]


@router.get("", dependencies=READ)
async def show_operations(request: Request, staff: StaffDep) -> Response:
    operations: Operations = request.app.state.operations
    context = {"report": await operations.report(staff.actor)}
    name = "_report.html" if wants_fragment(request) else "detail.html"
    return render(request, f"pages/operations/{name}", context)
