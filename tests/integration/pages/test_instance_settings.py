"""Settings that hold at once: typed, bounded, on record, and never overwritten unseen."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.runtime_settings import RUNTIME_SETTINGS, LiveSettings
from app.models import AuditEvent, InstanceSettings, StaffSession, User
from tests.conftest import SECRET, QueryCounter, client_of
from tests.factories.clients import log_in

PLACE = re.compile(r'name="(?P<name>[a-z_.]+)" value="(?P<value>[^"]*)"')


@pytest.fixture
async def boss(
    app: FastAPI, session: AsyncSession, settings: Settings, superuser: User
) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(app) as client:
        await log_in(client, session, settings, superuser)
        yield client


async def form_of(client: httpx2.AsyncClient) -> dict[str, str]:
    """The fields of the page as a browser would send them."""
    page = await client.get("/settings")
    assert page.status_code == 200
    return {found["name"]: found["value"] for found in PLACE.finditer(page.text)} | {
        "sign_in_message": ""
    }


async def save(client: httpx2.AsyncClient, **typed: str) -> httpx2.Response:
    return await client.post("/settings", data=await form_of(client) | typed)


async def test_change_holds_at_once_and_is_on_record(
    boss: httpx2.AsyncClient, session: AsyncSession, settings: Settings
) -> None:
    answer = await save(boss, session_idle_minutes="30", sign_in_message="Ask <b>Grace</b>")
    assert answer.headers["location"] == "/settings?notice=saved"
    assert settings.session_idle_minutes == 30
    event = await session.scalar(select(AuditEvent).order_by(AuditEvent.id.desc()).limit(1))
    assert event is not None
    assert event.changes == {
        "session_idle_minutes": [60, 30],
        "sign_in_message": ["", "Ask <b>Grace</b>"],
    }
    page = (await boss.get("/settings")).text
    assert page.count("Changed here") == 2
    boss.cookies.clear()
    assert "Ask &lt;b&gt;Grace&lt;/b&gt;" in (await boss.get("/login")).text


async def test_each_number_can_be_set(
    boss: httpx2.AsyncClient, session: AsyncSession, settings: Settings
) -> None:
    most = {each.key: each.most for each in RUNTIME_SETTINGS if each.most is not None}
    typed = {key: f"{value:,}" for key, value in most.items()}
    assert (await save(boss, **typed)).status_code == 303
    assert await session.scalar(select(InstanceSettings.overrides)) == most
    assert settings.reauthentication_minutes == 240


async def test_shorter_stay_ends_sessions_that_are_older(
    boss: httpx2.AsyncClient, session: AsyncSession
) -> None:
    await session.execute(
        update(StaffSession).values(created_at=StaffSession.created_at - timedelta(hours=2))
    )
    assert (await boss.get("/settings")).status_code == 200
    await save(boss, session_absolute_hours="1")
    assert (await boss.get("/settings")).headers["location"].startswith("/login")


async def test_limit_of_requests_follows(boss: httpx2.AsyncClient) -> None:
    await save(boss, rate_limit_read_per_minute="10")
    answer = await boss.get("/api/v1/auth/me")
    assert answer.headers["X-RateLimit-Limit"] == "10"


@pytest.mark.parametrize(
    ("key", "typed", "said"),
    [
        ("session_idle_minutes", "4", "must be from 5 to 1,440"),
        ("session_idle_minutes", "soon", "must be a whole number"),
        ("session_idle_minutes", "9" * 40, "must be a whole number"),
        ("session_idle_minutes", "1,5", "must be a whole number"),
        ("project_name", " ", "is required"),
        ("project_name", "Green\r\nBcc: all", "must not contain control characters"),
        ("project_name", "x" * 61, "must have at most 60 characters"),
        ("sign_in_message", "a\x07b", "must not contain control characters"),
    ],
)
async def test_what_is_no_value_is_said_beside_its_field_and_nothing_is_saved(
    boss: httpx2.AsyncClient, session: AsyncSession, key: str, typed: str, said: str
) -> None:
    answer = await save(boss, **{key: typed, "invitation_days": "9"})
    assert answer.status_code == 422
    assert said in answer.text
    assert 'value="9"' in answer.text
    assert await session.scalar(select(InstanceSettings.overrides)) == {}


async def test_default_holds_again_after_a_reset_or_when_it_is_typed(
    boss: httpx2.AsyncClient, session: AsyncSession, settings: Settings
) -> None:
    await save(boss, invitation_days="9", session_idle_minutes="30")
    form = await form_of(boss)
    await boss.post(
        "/settings/reset", data={"row_version": form["row_version"], "key": "invitation_days"}
    )
    assert settings.invitation_days == 7
    await save(boss, session_idle_minutes="60")
    assert await session.scalar(select(InstanceSettings.overrides)) == {}
    unknown = {"row_version": form["row_version"], "key": "secret_key"}
    assert (await boss.post("/settings/reset", data=unknown)).status_code == 404


async def test_value_of_the_environment_out_of_bounds_keeps_nobody_from_saving(
    boss: httpx2.AsyncClient, app: FastAPI, settings: Settings
) -> None:
    settings.rate_limit_export_per_minute = 1_000_000
    app.state.live_settings = LiveSettings(settings)
    assert (await save(boss, invitation_days="9")).status_code == 303
    assert (await save(boss, rate_limit_export_per_minute="5")).status_code == 303
    assert (await save(boss, rate_limit_export_per_minute="2000000")).status_code == 422
    assert (await save(boss, rate_limit_export_per_minute="1000000")).status_code == 303
    assert settings.rate_limit_export_per_minute == 1_000_000


async def test_second_save_is_shown_both_sides_and_merged(
    boss: httpx2.AsyncClient, session: AsyncSession
) -> None:
    mine = await form_of(boss)
    await save(boss, session_idle_minutes="30", invitation_days="9")
    answer = await boss.post(
        "/settings", data=mine | {"session_idle_minutes": "45", "password_reset_minutes": "90"}
    )
    assert answer.status_code == 409
    assert answer.text.count("both changed") == 1
    chosen = {
        "row_version": PLACE.findall(answer.text)[0][1],
        "session_idle_minutes": "45",
        "password_reset_minutes": "90",
        "invitation_days": "9",
    }
    assert (await boss.post("/settings", data=chosen)).status_code == 303
    assert await session.scalar(select(InstanceSettings.overrides)) == {
        "session_idle_minutes": 45,
        "password_reset_minutes": 90,
        "invitation_days": 9,
    }


async def test_rest_is_shown_without_secrets(
    boss: httpx2.AsyncClient, settings: Settings, counted: QueryCounter
) -> None:
    with counted:
        page = (await boss.get("/settings")).text
    assert counted.count <= 3
    for name in Settings.model_fields:
        assert name.upper() in page
    url = settings.database_url.get_secret_value() if settings.database_url else ""
    for secret in (SECRET, url, url.partition("host=")[2], str(settings.data_dir)):
        assert secret not in page


async def test_staff_do_not_get_in(web: httpx2.AsyncClient) -> None:
    assert (await web.get("/settings")).status_code == 403
    assert (await web.post("/settings", data={"row_version": "1"})).status_code == 403


def test_each_setting_is_within_its_bounds_by_default() -> None:
    for setting in RUNTIME_SETTINGS:
        assert setting.admits(Settings.model_fields[setting.key].default), setting.key
