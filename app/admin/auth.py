"""Who may enter the data admin and what they may do there: our session, our permissions."""

from urllib.parse import urlencode

from sqladmin.application import BaseAdmin
from sqladmin.authentication import AuthenticationBackend
from sqladmin.authorization import AuthorizationBackend
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.api.deps import find_staff
from app.api.frame import ENROLMENT_PATH, frame_for
from app.core.actor import Actor, Via
from app.core.database import Database
from app.core.texts import lazy
from app.exceptions import ReauthenticationRequired


def database_of(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


def actor_of(request: Request) -> Actor:
    """The staff member behind an authenticated request."""
    actor: Actor = request.state.actor
    return actor


def login_url(request: Request) -> str:
    """The login page, which comes back here; a form that was posted cannot be repeated."""
    if request.method != "GET":
        return "/login"
    path = request.url.path
    target = f"{path}?{request.url.query}" if request.url.query else path
    return f"/login?{urlencode({'next': target})}"


class StaffAuthentication(AuthenticationBackend):
    """The staff session of the other half, so one login and one logout serve both."""

    def __init__(self) -> None:
        # Not the base's: it would add a second, signed-cookie session beside ours.
        self.middlewares = []

    async def authenticate(self, request: Request) -> Response | bool:
        state = request.app.state
        async with database_of(request).unit_of_work() as session:
            found = await find_staff(request, session, state.settings, Via.ADMIN)
        if found is None:
            return RedirectResponse(login_url(request), status_code=303)
        if found.must_enrol:
            return RedirectResponse(ENROLMENT_PATH, status_code=303)
        request.state.actor = found.actor
        request.state.frame = frame_for(request, found.user, found.actor)
        return True

    async def get_user_id(self, request: Request) -> int | None:
        return actor_of(request).user_id


class RoleAuthorization(AuthorizationBackend):
    """Each action of a view names one permission; an action without one is for nobody."""

    def setup(self, admin: BaseAdmin) -> None:
        self.admin = admin

    def has_permission(
        self, request: Request, identity: str, action: str, obj: object = None
    ) -> bool:
        permissions = getattr(self.admin._find_model_view(identity), "permissions", {})
        permission = permissions.get(str(action))
        return permission is not None and actor_of(request).may(permission)


def require_recent(view: object, request: Request) -> None:
    """Raise ``ReauthenticationRequired`` for a sensitive view long after the last password."""
    if getattr(view, "sensitive", False) and not actor_of(request).recently_authenticated:
        raise ReauthenticationRequired(lazy("Enter your password to go on."))
