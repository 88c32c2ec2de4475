"""Settings of the installation that hold at once, and what the environment says of the rest."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.core.permissions import Permission
from app.core.runtime_settings import LiveSettings
from app.core.texts import lazy
from app.exceptions import NotFound, StaleVersion
from app.models import InstanceSettings
from app.pages import forms, settings_view
from app.pages.deps import InstanceSettingsServiceDep, recently_authenticated, requires
from app.pages.render import redirect, render
from app.pages.settings_view import Typed
from app.services.instance_settings import InstanceSettingsService

router = APIRouter(prefix="/settings")
READ = [requires(Permission.SETTINGS_MANAGE)]
CHANGE = [requires(Permission.SETTINGS_MANAGE), recently_authenticated]


def live_of(request: Request) -> LiveSettings:
    live: LiveSettings = request.app.state.live_settings
    return live


def settings_page(
    request: Request, row: InstanceSettings, version: int, typed: Typed | None = None
) -> Response:
    live = live_of(request)
    context = {
        "groups": settings_view.fields_of(live, row.overrides, typed),
        "errors": typed.errors if typed else {},
        "row_version": version,
        "instance": row,
        "effective": settings_view.effective(live),
        "known": live.known,
    }
    status = 422 if typed and typed.errors else 200
    return render(request, "pages/instance_settings/form.html", context, status)


@router.get("", dependencies=READ)
async def show_settings(request: Request, settings: InstanceSettingsServiceDep) -> Response:
    row = await settings.current()
    return settings_page(request, row, row.row_version)


@router.post("", dependencies=CHANGE)
async def save_settings(request: Request, settings: InstanceSettingsServiceDep) -> Response:
    """All that were typed, or nothing: errors are shown beside them."""
    posted = forms.typed(await request.form())
    version = forms.version_in(posted)
    typed = settings_view.read_typed(live_of(request), posted)
    if typed.errors:
        return settings_page(request, await settings.current(), version, typed)
    try:
        async with settings.session.begin_nested():
            changes = await settings.change(live_of(request), version, typed.values, ())
    except StaleVersion:
        return await conflict_page(request, settings, posted, typed)
    return redirect(request, "/settings", "saved" if changes else "unchanged")


async def conflict_page(
    request: Request,
    settings: InstanceSettingsService,
    posted: Mapping[str, Any],
    typed: Typed,
) -> Response:
    """What somebody else has saved meanwhile beside what was typed here, to choose from."""
    row, live = await settings.current(), live_of(request)
    context = {
        "fields": settings_view.merge_of(live, row.overrides, posted, typed),
        "known": live.known,
        "row_version": row.row_version,
        "when": row.updated_at,
    }
    return render(request, "pages/instance_settings/conflict.html", context, 409)


@router.post("/reset", dependencies=CHANGE)
async def reset_setting(request: Request, settings: InstanceSettingsServiceDep) -> Response:
    """One of them follows the environment again."""
    posted = forms.typed(await request.form())
    key, version = str(posted.get("key", "")), forms.version_in(posted)
    if key not in live_of(request).known:
        raise NotFound(lazy("There is no such setting."))
    await settings.change(live_of(request), version, {}, (key,))
    return redirect(request, "/settings", "default_again")
