"""One's own account: password, sessions, second factor."""

from datetime import UTC, datetime
from typing import Annotated

import segno
from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from app.api.attempts import own_try
from app.api.frame import ENROLMENT_PATH
from app.core.texts import _, catalogues
from app.core.zones import zone_choices
from app.exceptions import AppError, TooManyRequests
from app.pages import forms
from app.pages.cookies import current_token
from app.pages.deps import (
    LoginServiceDep,
    SecondFactorServiceDep,
    StaffDep,
    StaffSessionServiceDep,
    UserServiceDep,
    recently_authenticated,
)
from app.pages.render import redirect, render
from app.schemas.base import MAX_BIGINT
from app.schemas.users import LanguageChoice, PasswordChange, TimeZoneChoice
from app.services.credentials import end_credentials
from app.services.second_factors import SecondFactorService

router = APIRouter(prefix="/account")
SENSITIVE = [recently_authenticated]
NEVER_STORED = {"Cache-Control": "no-store"}


async def account_page(
    request: Request,
    staff: StaffDep,
    sessions: StaffSessionServiceDep,
    form: forms.Form,
    status: int = 200,
) -> Response:
    own = await sessions.list_of(staff.user.id)
    current = sessions.is_current(current_token(request))
    context = {
        "user": staff.user,
        "sessions": [(row, current(row)) for row in own],
        "zones": zone_choices(),
        "zone": form.values.get("time_zone", staff.user.time_zone),
        "languages": language_choices(),
        "language": form.values.get("language", staff.user.language or ""),
        "now": datetime.now(UTC),
        "form": form,
    }
    return render(request, "pages/account/detail.html", context, status)


def language_choices() -> list[tuple[str, str]]:
    installed = [(language.tag, language.name) for language in catalogues().values()]
    return [("", _("As the browser asks")), *installed]


@router.get("")
async def show_account(
    request: Request, staff: StaffDep, sessions: StaffSessionServiceDep
) -> Response:
    return await account_page(request, staff, sessions, forms.Form({}))


@router.post("/password")
async def change_password(
    request: Request,
    staff: StaffDep,
    users: UserServiceDep,
    sessions: StaffSessionServiceDep,
    logins: LoginServiceDep,
) -> Response:
    data, form = forms.parse(PasswordChange, forms.typed(await request.form()))
    form.values.clear()  # a password is never sent back
    if data is not None:
        try:
            async with own_try(request, logins, staff.actor):
                await users.change_own_password(data, keep_token=current_token(request))
        except TooManyRequests as error:
            forms.refuse(form, error)
            return await account_page(request, staff, sessions, form, 429)
        except AppError as error:
            forms.refuse(form, error)
        else:
            return redirect(request, "/account", "password")
    return await account_page(request, staff, sessions, form, 422)


@router.post("/time-zone")
async def choose_time_zone(
    request: Request, staff: StaffDep, users: UserServiceDep, sessions: StaffSessionServiceDep
) -> Response:
    data, form = forms.parse(TimeZoneChoice, forms.typed(await request.form()))
    if data is None:
        return await account_page(request, staff, sessions, form, 422)
    await users.choose_time_zone(data)
    return redirect(request, "/account", "time_zone")


@router.post("/language")
async def choose_language(
    request: Request, staff: StaffDep, users: UserServiceDep, sessions: StaffSessionServiceDep
) -> Response:
    data, form = forms.parse(LanguageChoice, forms.typed(await request.form()))
    if data is None:
        return await account_page(request, staff, sessions, form, 422)
    await users.choose_language(data)
    return redirect(request, "/account", "language")


@router.post("/sessions/{session_id}/end")
async def end_session(
    request: Request,
    session_id: Annotated[int, Path(ge=1, le=MAX_BIGINT)],
    sessions: StaffSessionServiceDep,
) -> Response:
    await sessions.end(session_id)
    return redirect(request, "/account", "ended")


async def factor_page(
    request: Request,
    staff: StaffDep,
    factors: SecondFactorService,
    form: forms.Form,
    status: int = 200,
) -> Response:
    pending = await factors.pending()
    context = {
        "user": staff.user,
        "pending": pending,
        "qr": qr_code(pending.uri) if pending else None,
        "codes_left": await factors.recovery_codes_left(staff.user.id),
        "must_enrol": staff.must_enrol,
        "form": form,
    }
    return render(request, "pages/account/second_factor.html", context, status, NEVER_STORED)


def qr_code(uri: str) -> str:
    """An inline SVG; the light squares are drawn too, because a dark page would swallow them."""
    return segno.make(uri, error="m").svg_inline(scale=4, border=4, dark="#000", light="#fff")


@router.get("/second-factor")
async def show_second_factor(
    request: Request, staff: StaffDep, factors: SecondFactorServiceDep
) -> Response:
    return await factor_page(request, staff, factors, forms.Form({}))


@router.post("/second-factor/begin", dependencies=SENSITIVE)
async def begin_second_factor(request: Request, factors: SecondFactorServiceDep) -> Response:
    await factors.begin()
    return redirect(request, ENROLMENT_PATH)


@router.post("/second-factor/confirm", dependencies=SENSITIVE)
async def confirm_second_factor(
    request: Request, staff: StaffDep, factors: SecondFactorServiceDep
) -> Response:
    """Shows the recovery codes: not redirected, because nothing may keep them."""
    values = forms.typed(await request.form())
    try:
        codes = await factors.confirm(str(values.get("code", ""))[:64])
    except AppError as error:
        form = forms.refuse(forms.Form({}), error)
        return await factor_page(request, staff, factors, form, 422)
    await end_credentials(factors.session, staff.user.id, keep_token=current_token(request))
    return codes_page(request, codes)


def codes_page(request: Request, codes: list[str]) -> Response:
    context = {"codes": codes}
    return render(request, "pages/account/recovery_codes.html", context, 201, NEVER_STORED)


@router.post("/second-factor/codes", dependencies=SENSITIVE)
async def replace_recovery_codes(request: Request, factors: SecondFactorServiceDep) -> Response:
    return codes_page(request, await factors.new_recovery_codes())


@router.post("/second-factor/remove", dependencies=SENSITIVE)
async def remove_second_factor(
    request: Request, staff: StaffDep, factors: SecondFactorServiceDep
) -> Response:
    await factors.remove(staff.user.id)
    await end_credentials(factors.session, staff.user.id, keep_token=current_token(request))
    return redirect(request, "/account", "factor_removed")
