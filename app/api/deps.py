"""Dependencies of routes: the session that commits before the answer, and who is asking."""

import re
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

import structlog
from fastapi import Depends, Header, Request
from fastapi.security import APIKeyHeader, OAuth2PasswordBearer
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection

from app.api import limits
from app.core.actor import Actor, Via
from app.core.config import Settings
from app.core.database import Database
from app.core.permissions import Permission, Role
from app.core.security import Signer
from app.core.texts import speak_to
from app.core.zones import show_in
from app.exceptions import Invalid, ReauthenticationRequired, SecondFactorRequired, Unauthorized
from app.models import User
from app.services.agents import AgentService
from app.services.api_keys import KEY_PREFIX, ApiKeyService, recognise_key
from app.services.audit_events import AuditEventService
from app.services.ingestion.queue import IngestQueue
from app.services.live_configs import LiveConfigService
from app.services.logins import ENROL_FIRST, LoginService
from app.services.refresh_tokens import RefreshTokenService
from app.services.saved_views import SavedViewService
from app.services.staff_sessions import StaffSessionService, actor_of
from app.services.tools import ToolService
from app.services.user_tokens import UserTokenService
from app.services.users import UserService
from app.services.webhook_deliveries import WebhookDeliveryService
from app.services.webhook_endpoints import WebhookEndpointService

SECURE_COOKIE, PLAIN_COOKIE = "__Host-greenroom", "greenroom"
MAX_TOKEN_LENGTH = 512
API_PATHS = "/api/"
BACKGROUND = "X-Background"
S = TypeVar("S")

api_key_header = APIKeyHeader(name="X-API-Key", auto_error=False, description="A key: gr_…")


access_token_header = OAuth2PasswordBearer(
    tokenUrl="/api/v1/auth/login",
    auto_error=False,
    description="An access token of /api/v1/auth/login.",
)


async def get_settings(request: Request) -> Settings:
    # Async, though it waits for nothing: FastAPI sends plain functions through a thread.
    settings: Settings = request.app.state.settings
    return settings


async def get_session(request: Request) -> AsyncIterator[AsyncSession]:
    database: Database = request.app.state.database
    # Pages may record on GET that something was exported; the API answers GET without a trace.
    only_looks = request.method == "GET" and request.scope["path"].startswith(API_PATHS)
    async with database.looking() if only_looks else database.unit_of_work() as session:
        request.state.session = session
        yield session


def get_queue(request: Request) -> IngestQueue:
    queue: IngestQueue = request.app.state.ingest_queue
    return queue


SettingsDep = Annotated[Settings, Depends(get_settings)]
QueueDep = Annotated[IngestQueue, Depends(get_queue)]
# "function" ends the dependency, and so commits, before the response is sent.
SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]


def request_id_of(request: HTTPConnection) -> str | None:
    return getattr(request.state, "request_id", None)


def client_ip(request: HTTPConnection) -> str | None:
    return request.client.host if request.client else None


def anonymous(request: HTTPConnection, via: Via) -> Actor:
    """Who has not proved who they are."""
    return Actor(
        user_id=None,
        role=Role.MEMBER,
        permissions=frozenset(),
        via=via,
        request_id=request_id_of(request),
        ip=client_ip(request),
    )


def cookie_name(settings: Settings) -> str:
    return SECURE_COOKIE if settings.secure_cookies else PLAIN_COOKIE


def session_token(request: HTTPConnection, settings: Settings) -> str | None:
    """The opaque session id in a cookie that we signed, else ``None``."""
    cookie = request.cookies.get(cookie_name(settings))
    if cookie is None or len(cookie) > MAX_TOKEN_LENGTH:
        return None
    return Signer(settings.signing_keys()).unsign(cookie)


def is_background(request: HTTPConnection) -> bool:
    """What a page does by itself: watching does not keep a session from going idle."""
    return request.scope["type"] == "websocket" or BACKGROUND in request.headers


@dataclass(frozen=True, slots=True)
class StaffLogin:
    """A person with a live session; ``must_enrol`` until they have the required second factor."""

    user: User
    actor: Actor
    must_enrol: bool


async def find_staff(
    request: HTTPConnection, session: AsyncSession, settings: Settings, via: Via
) -> StaffLogin | None:
    """The staff member of the request's cookie, if the session is alive."""
    token = session_token(request, settings)
    if token is None:
        return None
    ip, request_id = client_ip(request), request_id_of(request)
    sessions = StaffSessionService(session, Actor.system(via), settings)
    found = await sessions.recognise(token)
    if found is None:
        return None
    row = found.row
    if not is_background(request):
        await sessions.note_seen(row)
    structlog.contextvars.bind_contextvars(actor=f"user:{row.user_id}")
    if via is not Via.API:  # programs read and write UTC, whoever they act for
        show_in(row.user.time_zone)
        speak_to(row.user.language)
    actor = actor_of(row.user, via, request_id, ip, recent=found.recent)
    return StaffLogin(row.user, actor, found.must_enrol)


def bearer_of(request: HTTPConnection) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def presented_key(request: HTTPConnection, header: str | None) -> str | None:
    """``X-API-Key``, or ``Authorization: Bearer gr_…`` as OTLP exporters send it."""
    if header is not None:
        return header
    token = bearer_of(request)
    return token if token is not None and token.startswith(f"{KEY_PREFIX}_") else None


def presented_token(request: HTTPConnection) -> str | None:
    """``Authorization: Bearer`` with anything but a key."""
    token = bearer_of(request)
    return None if token is not None and token.startswith(f"{KEY_PREFIX}_") else token


async def get_actor(
    request: Request,
    session: SessionDep,
    key: Annotated[str | None, Depends(api_key_header)],
    _: Annotated[str | None, Depends(access_token_header)],
) -> Actor:
    """The principal of an API request: a key, an access token, or the staff cookie.

    Raises ``Unauthorized``, and ``Forbidden`` for the access token of a disabled user.
    """
    actor = await recognise(request, session, key)
    request.state.actor = actor  # refusals are on record under it
    await limits.count(request, actor)
    return actor


async def recognise(request: HTTPConnection, session: AsyncSession, key: str | None) -> Actor:
    """As ``get_actor``; ``key`` is the X-API-Key header."""
    settings: Settings = request.app.state.settings
    given_key, token = presented_key(request, key), presented_token(request)
    if given_key is not None:
        async with limits.guessing(request, given_key):
            return await actor_of_key(request, given_key)
    if token is not None:
        async with limits.guessing(request, token):
            return await actor_of_token(request, session, settings, token)
    return await actor_of_cookie(request, session, settings)


async def actor_of_cookie(
    request: HTTPConnection, session: AsyncSession, settings: Settings
) -> Actor:
    staff = await find_staff(request, session, settings, Via.API)
    if staff is None:
        raise Unauthorized("Send an API key in the X-API-Key header, or an access token.")
    if staff.must_enrol:
        raise SecondFactorRequired(ENROL_FIRST)
    return staff.actor


async def actor_of_key(request: HTTPConnection, key: str) -> Actor:
    ip, actor = client_ip(request), None
    if len(key) <= MAX_TOKEN_LENGTH:
        database: Database = request.app.state.database
        actor = await recognise_key(database, key, request_id_of(request), ip)
    if actor is None or actor.api_key_id is None:
        raise Unauthorized("This API key is not valid, or no longer is.")
    structlog.contextvars.bind_contextvars(actor=f"key:{actor.api_key_id}")
    return actor


async def actor_of_token(
    request: HTTPConnection, session: AsyncSession, settings: Settings, token: str
) -> Actor:
    tokens = RefreshTokenService(session, anonymous(request, Via.API), settings)
    actor = await tokens.recognise(token)
    if actor is None:
        raise Unauthorized("This access token is not valid, or no longer is.")
    structlog.contextvars.bind_contextvars(actor=f"user:{actor.user_id}")
    return actor


ActorDep = Annotated[Actor, Depends(get_actor)]


class RequirePermission:
    """A route's declared permission; the access matrix in the tests is made from these."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def __call__(self, actor: ActorDep) -> None:
        actor.require(self.permission)


def requires(permission: Permission) -> Any:  # as FastAPI types Depends
    return Depends(RequirePermission(permission))


async def require_recent(actor: ActorDep) -> None:
    """Sensitive changes ask who is there, when the last proof is long ago."""
    if not actor.recently_authenticated:
        raise ReauthenticationRequired("Log in again, or enter your password at /reauthenticate.")


recently_authenticated = Depends(require_recent)


def asking(request: Request) -> tuple[AsyncSession, Actor]:
    """The session and the actor that the route's declaration has found.

    Raise ``RuntimeError`` in a route that declares nothing before it asks; a test walks them all.
    """
    try:
        return request.state.session, request.state.actor
    except AttributeError as error:
        raise RuntimeError(
            "This route takes a service before it declares a permission: put requires() into "
            "its dependencies."
        ) from error


class ServiceOf(Generic[S]):
    """A dependency that gives the service to this request's session and actor.

    For routes that declare their permission. FastAPI walks a dependency with all below it again
    wherever it is named, so what the declaration has found is taken from the request.
    """

    def __init__(self, kind: Callable[[AsyncSession, Actor], S]) -> None:
        self.kind = kind

    async def __call__(self, request: Request) -> S:
        return self.kind(*asking(request))


def service(kind: Callable[[AsyncSession, Actor], S]) -> ServiceOf[S]:
    return ServiceOf(kind)


def personal(
    kind: Callable[[AsyncSession, Actor, Settings], S],
) -> Callable[[AsyncSession, Actor, Settings], Coroutine[Any, Any, S]]:
    """As ``service``, for those that need the settings too."""

    async def provide(session: SessionDep, actor: ActorDep, settings: SettingsDep) -> S:
        return kind(session, actor, settings)

    return provide


def open_to_all(
    kind: Callable[[AsyncSession, Actor, Settings], S], via: Via
) -> Callable[[Request, AsyncSession, Settings], Coroutine[Any, Any, S]]:
    """A service for who has not logged in."""

    async def provide(request: Request, session: SessionDep, settings: SettingsDep) -> S:
        return kind(session, anonymous(request, via), settings)

    return provide


def live_configs_for(request: Request, actor: Actor) -> LiveConfigService:
    state = request.app.state
    origin = state.settings.public_origin or str(request.base_url).rstrip("/")
    return LiveConfigService(state.database, actor, origin, state.rendered_configs)


async def get_live_configs(request: Request) -> LiveConfigService:
    """As ``service``, for the one that reads beside this request's session."""
    return live_configs_for(request, asking(request)[1])


async def get_tools(request: Request) -> ToolService:
    """As ``service``, with the settings that say which networks may be called."""
    return ToolService(*asking(request), request.app.state.settings)


LiveConfigServiceDep = Annotated[LiveConfigService, Depends(get_live_configs)]
AgentServiceDep = Annotated[AgentService, Depends(service(AgentService))]
ToolServiceDep = Annotated[ToolService, Depends(get_tools)]
UserServiceDep = Annotated[UserService, Depends(service(UserService))]
OpenLoginServiceDep = Annotated[LoginService, Depends(open_to_all(LoginService, Via.API))]
OpenUserTokenServiceDep = Annotated[
    UserTokenService, Depends(open_to_all(UserTokenService, Via.API))
]
RefreshTokenServiceDep = Annotated[
    RefreshTokenService, Depends(open_to_all(RefreshTokenService, Via.API))
]
UserTokenServiceDep = Annotated[UserTokenService, Depends(personal(UserTokenService))]
ApiKeyServiceDep = Annotated[ApiKeyService, Depends(service(ApiKeyService))]
WebhookEndpointServiceDep = Annotated[
    WebhookEndpointService, Depends(personal(WebhookEndpointService))
]
WebhookDeliveryServiceDep = Annotated[
    WebhookDeliveryService, Depends(service(WebhookDeliveryService))
]
SavedViewServiceDep = Annotated[SavedViewService, Depends(service(SavedViewService))]
AuditEventServiceDep = Annotated[AuditEventService, Depends(service(AuditEventService))]


# What ``etag_of`` writes, also without its quotes.
TAG = re.compile(r'(?:W/)?"?([0-9]{1,17})(?:\.[0-9]{1,17})?"?')


async def if_match(
    if_match: Annotated[
        str | None,
        Header(
            description='The ETag you have, such as "3".',
            json_schema_extra={"pattern": r'^(\*|(W/)?"?[0-9]{1,17}(\.[0-9]{1,17})?"?)$'},
        ),
    ] = None,
) -> int | None:
    """The row version of ``If-Match``. Raises ``Invalid`` for what is no ETag of ours."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = TAG.fullmatch(if_match.strip())
    if found is None:
        raise Invalid('If-Match must be an ETag of this resource, such as "3".', field="If-Match")
    return int(found[1])


IfMatchDep = Annotated[int | None, Depends(if_match)]


def etag(version: int) -> str:
    return f'"{version}"'


def etag_of(row: Any) -> str:  # anything with ``row_version``
    """Of an agent with its live revision, too: a changed tool makes one, and no new version."""
    revision = getattr(row, "live_revision", None)
    return etag(row.row_version) if revision is None else f'"{row.row_version}.{revision.number}"'
