"""The audit log over JSON, for superusers."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from app.api.deps import AuditEventServiceDep, requires
from app.api.strict_json import StrictRoute
from app.api.v1.pages import LIST_ERRORS
from app.core.permissions import Permission
from app.schemas.audit_events import AuditEventRead, AuditQuery
from app.schemas.base import CursorPage

router = APIRouter(prefix="/audit", tags=["audit"], route_class=StrictRoute)
READ = [requires(Permission.AUDIT_READ)]


@router.get("", response_model=CursorPage[AuditEventRead], dependencies=READ, responses=LIST_ERRORS)
async def list_audit_events(
    query: Annotated[AuditQuery, Query()], audit: AuditEventServiceDep
) -> Any:
    """Newest first. Pass `next_cursor` as `cursor` for the following ones."""
    found = await audit.list_slice(query)
    return {"items": found.items, "next_cursor": found.next_cursor}
