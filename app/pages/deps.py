"""Dependencies of pages: the logged-in staff member, and services for them."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.deps import SessionDep, SettingsDep, find_staff
from app.api.frame import frame_for
from app.core.actor import Actor, Via
from app.core.permissions import Permission
from app.models import User
from app.pages.render import LoginRequired
from app.services.agents import AgentService
from app.services.api_keys import ApiKeyService
from app.services.audit_events import AuditEventService
from app.services.executions import ExecutionService
from app.services.staff_sessions import StaffSessionService
from app.services.tools import ToolService
from app.services.users import UserService

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Staff:
    """The person behind a page request."""

    user: User
    actor: Actor


async def get_staff(request: Request, session: SessionDep, settings: SettingsDep) -> Staff:
    """Raises ``LoginRequired`` without a live session; sets the frame of the page."""
    found = await find_staff(request, session, settings, Via.PAGE)
    if found is None:
        raise LoginRequired("Please log in.")
    user, actor = found
    request.state.frame = frame_for(request, user, actor)
    return Staff(user, actor)


StaffDep = Annotated[Staff, Depends(get_staff)]


class RequireStaffPermission:
    """A page's declared permission; the access matrix in the tests is made from these."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def __call__(self, staff: StaffDep) -> None:
        staff.actor.require(self.permission)


def requires(permission: Permission) -> Any:  # as FastAPI types Depends
    return Depends(RequireStaffPermission(permission))


def service(
    kind: Callable[[AsyncSession, Actor], S],
) -> Callable[[AsyncSession, Staff], Coroutine[Any, Any, S]]:
    async def provide(session: SessionDep, staff: StaffDep) -> S:
        return kind(session, staff.actor)

    return provide


async def get_sessions(
    session: SessionDep, staff: StaffDep, settings: SettingsDep
) -> StaffSessionService:
    return StaffSessionService(session, staff.actor, settings)


AgentServiceDep = Annotated[AgentService, Depends(service(AgentService))]
ToolServiceDep = Annotated[ToolService, Depends(service(ToolService))]
ExecutionServiceDep = Annotated[ExecutionService, Depends(service(ExecutionService))]
ApiKeyServiceDep = Annotated[ApiKeyService, Depends(service(ApiKeyService))]
AuditEventServiceDep = Annotated[AuditEventService, Depends(service(AuditEventService))]
UserServiceDep = Annotated[UserService, Depends(service(UserService))]
StaffSessionServiceDep = Annotated[StaffSessionService, Depends(get_sessions)]
