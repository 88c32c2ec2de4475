"""People, for superusers: invite, change, disable, and end what lets them in."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from app.api.mails import issue_link
from app.core.permissions import Permission, Role
from app.core.texts import lazy
from app.exceptions import AppError
from app.models import BulkResource, ListName, TokenPurpose, User
from app.pages import exports, forms
from app.pages.audit_view import lines_about
from app.pages.bulk_view import selection_of
from app.pages.deps import (
    InstanceSettingsServiceDep,
    SecondFactorServiceDep,
    StaffSessionServiceDep,
    UserServiceDep,
    UserTokenServiceDep,
    recently_authenticated,
    requires,
)
from app.pages.list_views import Offered, framed, opened
from app.pages.render import redirect, render, wants_fragment
from app.pages.user_list import COLUMNS, FILTERS
from app.schemas.api_keys import ApiKeyQuery
from app.schemas.base import MAX_BIGINT
from app.schemas.exports import ExportFormat
from app.schemas.users import UserCreate, UserInvite, UserQuery, UserUpdate
from app.services import export_sources
from app.services.api_keys import ApiKeyService
from app.services.audit_events import AuditEventService
from app.services.credentials import end_credentials
from app.services.user_tokens import UserTokenService

router = APIRouter(prefix="/users")
UserId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
READ = [requires(Permission.USERS_READ)]
MANAGE = [requires(Permission.USERS_MANAGE), recently_authenticated]
PAGE_SIZE = 50
SHOWN = 20
ROLES = [
    (Role.MEMBER.value, lazy("Member: uses the API, does not enter here")),
    (Role.VIEWER.value, lazy("Viewer: reads everything here")),
    (Role.STAFF.value, lazy("Staff: manages agents and tools")),
    (Role.SUPERUSER.value, lazy("Superuser: manages people, keys and settings too")),
]


@router.get("", dependencies=READ)
async def list_users(
    request: Request,
    users: UserServiceDep,
    settings: InstanceSettingsServiceDep,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    state, views = await opened(request, users, ListName.USERS)
    if views.goes_to:
        return redirect(request, views.goes_to)
    query = state.query(UserQuery, sort=state.sort or None)
    rows = await users.list_slice(query, cursor, PAGE_SIZE)
    context = {
        "users": rows.items,
        "may_manage": users.actor.may(Permission.USERS_MANAGE),
        "instance": await settings.current(),
        "selection": selection_of(users.actor, BulkResource.USERS),
        **framed(request, (state, views), rows, query, Offered(COLUMNS, FILTERS)),
    }
    name = "_rows.html" if wants_fragment(request) else "list.html"
    return render(request, f"pages/users/{name}", context)


@router.get("/export", dependencies=[*READ, recently_authenticated])
async def export_users(
    request: Request, users: UserServiceDep, form: exports.FormatQuery = ExportFormat.CSV
) -> Response:
    """All that the list's filters match, in its order."""
    query, _ = exports.listed(request, ListName.USERS, UserQuery)
    export = export_sources.users(users.actor, query)
    return await exports.answer(request, users.actor, export, form)


@router.post(
    "/require-second-factor",
    dependencies=[requires(Permission.SETTINGS_MANAGE), recently_authenticated],
)
async def require_second_factor(request: Request, settings: InstanceSettingsServiceDep) -> Response:
    """For everyone who enters the back office, from their next page on."""
    values = forms.typed(await request.form())
    version = forms.version_in(values)
    await settings.update(version, require_second_factor=values.get("required") == "true")
    return redirect(request, "/users", "saved")


def invite_page(request: Request, form: forms.Form, status: int = 200) -> Response:
    context = {"form": form, "roles": ROLES}
    return render(request, "pages/users/invite.html", context, status)


@router.get("/invite", dependencies=MANAGE)
async def show_invite(request: Request) -> Response:
    return invite_page(request, forms.Form({"role": Role.MEMBER.value}))


@router.post("/invite", dependencies=MANAGE)
async def invite_user(
    request: Request, users: UserServiceDep, tokens: UserTokenServiceDep
) -> Response:
    data, form = forms.parse(UserInvite, forms.typed(await request.form()))
    if data is None:
        return invite_page(request, form, 422)
    try:
        async with users.session.begin_nested():
            user = await users.create(UserCreate(**data.model_dump()))
    except AppError as error:
        return invite_page(request, forms.refuse(form, error), 422)
    return await link_page(request, tokens, user, TokenPurpose.INVITATION)


async def link_page(
    request: Request,
    tokens: UserTokenService,
    user: User,
    purpose: TokenPurpose,
) -> Response:
    """Says that a mail is on its way; without a mail server shows the link, once."""
    link = await issue_link(request, tokens, user, purpose)
    context = {"user": user, "purpose": purpose.value, "link": link}
    headers = {"Cache-Control": "no-store"}
    return render(request, "pages/users/link.html", context, 201, headers)


@router.get("/{user_id}", dependencies=READ)
async def show_user(
    request: Request, user_id: UserId, users: UserServiceDep, sessions: StaffSessionServiceDep
) -> Response:
    user = await users.get(user_id)
    keys = ApiKeyService(users.session, users.actor)
    audit = AuditEventService(users.session, users.actor)
    context = {
        "user": user,
        "is_self": user.id == users.actor.user_id,
        "sessions": await sessions.list_of(user_id),
        "keys": (await keys.list_slice(ApiKeyQuery(user_id=user_id), None, SHOWN)).items,
        "lines": await lines_about(audit, "users", user_id, SHOWN),
    }
    return render(request, "pages/users/detail.html", context)


def form_page(request: Request, form: forms.Form, user: User, status: int = 200) -> Response:
    context = {"form": form, "user": user, "roles": ROLES}
    return render(request, "pages/users/form.html", context, status)


@router.get("/{user_id}/edit", dependencies=MANAGE)
async def edit_user(request: Request, user_id: UserId, users: UserServiceDep) -> Response:
    user = await users.get(user_id)
    values = forms.shown(user, UserUpdate) | {"row_version": user.row_version}
    return form_page(request, forms.Form(values | {"role": user.role.value}), user)


@router.post("/{user_id}/edit", dependencies=MANAGE)
async def update_user(request: Request, user_id: UserId, users: UserServiceDep) -> Response:
    values: dict[str, Any] = forms.typed(await request.form())
    values["is_active"] = values.get("is_active", "false")
    version = forms.version_in(values)
    data, form = forms.parse(UserUpdate, values)
    form.values["row_version"] = version
    if data is not None:
        try:
            async with users.session.begin_nested():
                await users.update(user_id, data, version)
        except AppError as error:
            forms.refuse(form, error)
        else:
            return redirect(request, f"/users/{user_id}", "saved")
    return form_page(request, form, await users.get(user_id), 422)


@router.post("/{user_id}/link", dependencies=MANAGE)
async def send_password_link(
    request: Request,
    user_id: UserId,
    users: UserServiceDep,
    tokens: UserTokenServiceDep,
) -> Response:
    """A reset, or the invitation again for who has not accepted it yet."""
    user = await users.get_for_link(user_id)
    purpose = TokenPurpose.PASSWORD_RESET if user.hashed_password else TokenPurpose.INVITATION
    return await link_page(request, tokens, user, purpose)


@router.post("/{user_id}/disable", dependencies=MANAGE)
async def disable_user(request: Request, user_id: UserId, users: UserServiceDep) -> Response:
    await users.update(user_id, UserUpdate(is_active=False))
    return redirect(request, f"/users/{user_id}", "saved")


@router.post("/{user_id}/enable", dependencies=MANAGE)
async def enable_user(request: Request, user_id: UserId, users: UserServiceDep) -> Response:
    await users.update(user_id, UserUpdate(is_active=True))
    return redirect(request, f"/users/{user_id}", "saved")


@router.post("/{user_id}/end-sessions", dependencies=MANAGE)
async def end_sessions(request: Request, user_id: UserId, users: UserServiceDep) -> Response:
    await users.end_logins(user_id)
    return redirect(request, f"/users/{user_id}", "sessions_ended")


@router.post("/{user_id}/remove-second-factor", dependencies=MANAGE)
async def remove_second_factor(
    request: Request, user_id: UserId, factors: SecondFactorServiceDep
) -> Response:
    user = await factors.remove(user_id)
    await end_credentials(factors.session, user.id)
    return redirect(request, f"/users/{user_id}", "factor_reset")


@router.post("/{user_id}/restore", dependencies=MANAGE)
async def restore_user(request: Request, user_id: UserId, users: UserServiceDep) -> Response:
    await users.restore(user_id)
    return redirect(request, f"/users/{user_id}", "restored")


@router.post("/{user_id}/delete", dependencies=MANAGE)
async def delete_user(request: Request, user_id: UserId, users: UserServiceDep) -> Response:
    await users.delete(user_id)
    return redirect(request, "/users", "trashed", f"users:{user_id}")
