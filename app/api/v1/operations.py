"""The installation's health over JSON, for superusers."""

from typing import Any

from fastapi import APIRouter, Request

from app.api.deps import asking, requires
from app.api.strict_json import StrictRoute
from app.api.v1.pages import LIST_ERRORS
from app.core.permissions import Permission
from app.schemas.operations import OperationsRead
from app.services.operations.report import Operations

router = APIRouter(prefix="/operations", tags=["operations"], route_class=StrictRoute)
READ = [requires(Permission.OPERATIONS_READ)]


@router.get("", response_model=OperationsRead, dependencies=READ, responses=LIST_ERRORS)
async def get_operations(request: Request) -> Any:
    """Every check with its state and what to do, the size of each table, and who is doing what.

    Asked anew at most every three seconds, however many ask.
    """
    operations: Operations = request.app.state.operations
    return await operations.report(asking(request)[1])
