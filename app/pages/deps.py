"""Dependencies of pages: the logged-in staff member, and services for them."""

from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import FormData

from app.api.attempts import own_try
from app.api.deps import (
    SessionDep,
    SettingsDep,
    StaffLogin,
    find_staff,
    open_to_all,
)
from app.api.frame import ENROLMENT_PATH, frame_for
from app.api.reporting import reporting
from app.api.streams import live_runs_of
from app.core.actor import Actor, Via
from app.core.config import Settings
from app.core.permissions import Permission
from app.core.texts import lazy
from app.exceptions import Unauthorized
from app.pages.cookies import current_token
from app.pages.forms import PASSWORD_FIELD
from app.pages.render import ConfirmIdentity, EnrolmentRequired, LoginRequired
from app.schemas.bulk_changes import SENSITIVE
from app.services.agents import AgentService
from app.services.analyses import AnalysisService
from app.services.api_keys import ApiKeyService
from app.services.audit_events import AuditEventService
from app.services.bulk_changes import BulkChangeService
from app.services.erasures import ErasureService
from app.services.executions import ExecutionService
from app.services.ingest_batches import IngestBatchService
from app.services.instance_settings import InstanceSettingsService
from app.services.jobs import JobService
from app.services.list_preferences import ListPreferenceService
from app.services.logins import LoginService
from app.services.model_prices import ModelPriceService
from app.services.recomputing import RecomputingService
from app.services.rejected_spans import RejectedSpanService
from app.services.retention import RetentionService
from app.services.saved_views import SavedViewService
from app.services.second_factors import SecondFactorService
from app.services.staff_sessions import StaffSessionService
from app.services.statistics import StatisticsService
from app.services.tool_headers import ToolHeaderService
from app.services.tools import ToolService
from app.services.user_tokens import UserTokenService
from app.services.users import UserService
from app.services.webhook_deliveries import WebhookDeliveryService
from app.services.webhook_endpoints import WebhookEndpointService

S = TypeVar("S")


# Where someone may go who still has to set up the second factor that the instance asks for.
OPEN_BEFORE_ENROLMENT = (ENROLMENT_PATH, "/logout", "/reauthenticate")


async def get_staff(request: Request, session: SessionDep, settings: SettingsDep) -> StaffLogin:
    """Raises ``LoginRequired`` without a live session; sets the frame of the page."""
    found = await find_staff(request, session, settings, Via.PAGE)
    if found is None:
        raise LoginRequired(lazy("Please log in."))
    if found.must_enrol and not request.url.path.startswith(OPEN_BEFORE_ENROLMENT):
        raise EnrolmentRequired(lazy("Set up a second factor first."))
    request.state.frame = frame_for(request, found.user, found.actor)
    request.state.actor = found.actor  # refusals are on record under it
    return found


StaffDep = Annotated[StaffLogin, Depends(get_staff)]


class RequireStaffPermission:
    """A page's declared permission; the access matrix in the tests is made from these."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def __call__(self, staff: StaffDep) -> None:
        staff.actor.require(self.permission)


Reauthenticate = Callable[[str], Coroutine[Any, Any, None]]


async def get_reauthenticate(
    request: Request, session: SessionDep, settings: SettingsDep, staff: StaffDep
) -> Reauthenticate:
    """Checks the password of who is logged in and goes on under a new token.

    What it returns raises ``Unauthorized`` or ``TooManyRequests``.
    """

    async def confirm(password: str) -> None:
        logins = LoginService(session, staff.actor, settings)
        async with own_try(request, logins, staff.actor):
            await logins.check_own_password(staff.user, password)
        sessions = StaffSessionService(session, staff.actor, settings)
        request.state.renewed_token = await sessions.renew(current_token(request) or "")

    return confirm


ReauthenticateDep = Annotated[Reauthenticate, Depends(get_reauthenticate)]


async def require_recent(request: Request, staff: StaffDep, confirm: ReauthenticateDep) -> None:
    """Sensitive pages and changes ask for the password when it was last given long ago.

    The page that asks posts the same form again with the password in it. Raises
    ``ConfirmIdentity``, ``TooManyRequests``.
    """
    if staff.actor.recently_authenticated:
        return
    form = await request.form() if request.method == "POST" else FormData()
    fields = [(k, v) for k, v in form.multi_items() if isinstance(v, str) and k != PASSWORD_FIELD]
    password = form.get(PASSWORD_FIELD)
    if not isinstance(password, str):
        raise ConfirmIdentity(lazy("Enter your password to go on."), fields)
    try:
        await confirm(password[:1024])
    except Unauthorized as error:
        raise ConfirmIdentity(error.message, fields) from error


recently_authenticated = Depends(require_recent)


def requires(permission: Permission) -> Any:  # as FastAPI types Depends
    return Depends(RequireStaffPermission(permission))


def service(
    kind: Callable[[AsyncSession, Actor], S],
) -> Callable[[AsyncSession, StaffLogin], Coroutine[Any, Any, S]]:
    async def provide(session: SessionDep, staff: StaffDep) -> S:
        return kind(session, staff.actor)

    return provide


def personal(
    kind: Callable[[AsyncSession, Actor, Settings], S],
) -> Callable[[AsyncSession, StaffLogin, Settings], Coroutine[Any, Any, S]]:
    """As ``service``, for those that need the settings too."""

    async def provide(session: SessionDep, staff: StaffDep, settings: SettingsDep) -> S:
        return kind(session, staff.actor, settings)

    return provide


async def get_statistics(
    request: Request, session: SessionDep, staff: StaffDep
) -> AsyncIterator[StatisticsService]:
    """As ``service``, for sums, which may be some seconds old."""
    async with reporting(request, session) as chosen:
        yield StatisticsService(chosen, staff.actor)


async def get_analyses(request: Request, session: SessionDep, staff: StaffDep) -> AnalysisService:
    return AnalysisService(session, staff.actor, live_runs_of(request).running.provider)


async def get_bulk_changes(
    request: Request, session: SessionDep, staff: StaffDep, confirm: ReauthenticateDep
) -> BulkChangeService:
    """As of who has just proved who they are, where the rows are such that this is asked for."""
    actor = staff.actor
    if request.method == "POST" and (await request.form()).get("resource") in SENSITIVE:
        await require_recent(request, staff, confirm)
        actor = replace(actor, recently_authenticated=True)
    return BulkChangeService(session, actor)


StatisticsServiceDep = Annotated[StatisticsService, Depends(get_statistics, scope="function")]
AgentServiceDep = Annotated[AgentService, Depends(service(AgentService))]
AnalysisServiceDep = Annotated[AnalysisService, Depends(get_analyses)]
ToolServiceDep = Annotated[ToolService, Depends(personal(ToolService))]
ModelPriceServiceDep = Annotated[ModelPriceService, Depends(service(ModelPriceService))]
RecomputingServiceDep = Annotated[RecomputingService, Depends(service(RecomputingService))]
ToolHeaderServiceDep = Annotated[ToolHeaderService, Depends(personal(ToolHeaderService))]
ExecutionServiceDep = Annotated[ExecutionService, Depends(service(ExecutionService))]
JobServiceDep = Annotated[JobService, Depends(service(JobService))]
BulkChangeServiceDep = Annotated[BulkChangeService, Depends(get_bulk_changes)]
IngestBatchServiceDep = Annotated[IngestBatchService, Depends(service(IngestBatchService))]
RejectedSpanServiceDep = Annotated[RejectedSpanService, Depends(service(RejectedSpanService))]
ApiKeyServiceDep = Annotated[ApiKeyService, Depends(service(ApiKeyService))]
AuditEventServiceDep = Annotated[AuditEventService, Depends(service(AuditEventService))]
UserServiceDep = Annotated[UserService, Depends(service(UserService))]
StaffSessionServiceDep = Annotated[StaffSessionService, Depends(personal(StaffSessionService))]
ErasureServiceDep = Annotated[ErasureService, Depends(personal(ErasureService))]
RetentionServiceDep = Annotated[RetentionService, Depends(personal(RetentionService))]
SecondFactorServiceDep = Annotated[SecondFactorService, Depends(personal(SecondFactorService))]
InstanceSettingsServiceDep = Annotated[
    InstanceSettingsService, Depends(service(InstanceSettingsService))
]
UserTokenServiceDep = Annotated[UserTokenService, Depends(personal(UserTokenService))]
WebhookEndpointServiceDep = Annotated[
    WebhookEndpointService, Depends(personal(WebhookEndpointService))
]
WebhookDeliveryServiceDep = Annotated[
    WebhookDeliveryService, Depends(service(WebhookDeliveryService))
]
SavedViewServiceDep = Annotated[SavedViewService, Depends(service(SavedViewService))]
ListPreferenceServiceDep = Annotated[ListPreferenceService, Depends(service(ListPreferenceService))]
LoginServiceDep = Annotated[LoginService, Depends(open_to_all(LoginService, Via.PAGE))]
OpenUserTokenServiceDep = Annotated[
    UserTokenService, Depends(open_to_all(UserTokenService, Via.PAGE))
]
