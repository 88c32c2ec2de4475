"""Logging in and out: what opens a session, and everything that ends one."""

from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.deps import PLAIN_COOKIE, SECURE_COOKIE
from app.core.config import Settings
from app.core.permissions import Role
from app.core.security import sha256
from app.models import AuditEvent, StaffSession, User
from tests.conftest import client_of
from tests.factories.clients import SAME_ORIGIN, log_in
from tests.factories.users import PASSWORD, make_session_token, make_user

WRONG = "That e-mail and password do not belong to an active account."


async def sign_in(
    client: httpx2.AsyncClient, email: str, password: str = PASSWORD, **fields: str
) -> httpx2.Response:
    form = {"email": email, "password": password, **fields}
    return await client.post("/login", data=form, headers=SAME_ORIGIN)


async def test_right_password_opens_the_product(client: httpx2.AsyncClient, staff: User) -> None:
    response = await sign_in(client, f"  {staff.email.upper()} ", next="/agents?q=x")
    assert response.status_code == 303
    assert response.headers["location"] == "/agents?q=x"
    assert (await client.get("/agents")).status_code == 200


async def test_cookie_is_out_of_reach_of_scripts_and_other_sites(
    client: httpx2.AsyncClient, staff: User
) -> None:
    cookie = (await sign_in(client, staff.email)).headers["set-cookie"]
    assert cookie.startswith(f"{PLAIN_COOKIE}=")
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/", "max-age=43200"} <= parts
    assert "secure" not in parts


async def test_cookie_over_tls_is_host_bound_and_secure(
    app: FastAPI, settings: Settings, staff: User
) -> None:
    app.state.settings = settings.model_copy(update={"public_origin": "https://localhost"})
    async with client_of(app) as client:
        cookie = (await sign_in(client, staff.email)).headers["set-cookie"]
    assert cookie.startswith(f"{SECURE_COOKIE}=")
    assert "secure" in cookie.lower()
    assert "domain" not in cookie.lower()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.STAFF, Role.SUPERUSER])
async def test_staff_of_each_role_come_in(
    client: httpx2.AsyncClient, session: AsyncSession, role: Role
) -> None:
    user = await make_user(session, role)
    assert (await sign_in(client, user.email)).status_code == 303


@pytest.mark.parametrize("password", ["wrong", "", PASSWORD + " ", PASSWORD.lower(), "a\x00b", "é"])
async def test_wrong_password_is_refused_and_on_record(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User, password: str
) -> None:
    response = await sign_in(client, staff.email, password)
    assert response.status_code == 401
    assert WRONG in response.text
    assert staff.email in response.text
    assert "set-cookie" not in response.headers
    if password:
        assert f'value="{password}"' not in response.text
    event = await session.scalar(select(AuditEvent).order_by(AuditEvent.id.desc()))
    assert event is not None
    assert event.action == "login_refused"
    assert event.changes == {"email": [None, staff.email]}
    assert event.request_id == response.headers["x-correlation-id"]


@pytest.mark.parametrize(
    "email", ["nobody@example.com", "", "not an address", "a\x00b", "x" * 1000, "' or 1=1 --"]
)
async def test_unknown_user_reads_the_same_as_a_wrong_password(
    client: httpx2.AsyncClient, email: str
) -> None:
    response = await sign_in(client, email)
    assert response.status_code == 401
    assert WRONG in response.text


async def test_member_disabled_and_trashed_users_are_refused(
    client: httpx2.AsyncClient, session: AsyncSession
) -> None:
    member = await make_user(session, Role.MEMBER)
    disabled = await make_user(session, active=False)
    trashed = await make_user(session)
    trashed.deleted_at = datetime.now(UTC)
    invited = await make_user(session)
    invited.hashed_password = None
    await session.flush()
    for user in (member, disabled, trashed, invited):
        response = await sign_in(client, user.email)
        assert response.status_code == 401
        assert WRONG in response.text


async def test_field_over_its_length_is_refused(client: httpx2.AsyncClient) -> None:
    assert (await sign_in(client, "a@example.com", "x" * 2000)).status_code == 422


async def test_login_makes_a_new_session_and_ends_the_old_one(
    client: httpx2.AsyncClient, session: AsyncSession, settings: Settings, staff: User
) -> None:
    old = await log_in(client, session, settings, staff)
    before = client.cookies[PLAIN_COOKIE]
    answer = await sign_in(client, staff.email)
    assert before not in answer.headers["set-cookie"]
    row = await session.scalar(
        select(StaffSession)
        .where(StaffSession.token_sha256 == sha256(old))
        .execution_options(populate_existing=True)
    )
    assert row is not None
    assert row.revoked_at is not None


async def test_already_logged_in_is_sent_on(web: httpx2.AsyncClient) -> None:
    response = await web.get("/login?next=/tools")
    assert response.headers["location"] == "/tools"


async def shift(session: AsyncSession, token: str, **values: datetime) -> None:
    await session.execute(
        update(StaffSession).where(StaffSession.token_sha256 == sha256(token)).values(values)
    )


@pytest.mark.parametrize(
    ("column", "delta", "alive"),
    [
        ("last_seen_at", timedelta(minutes=-59), True),
        ("last_seen_at", timedelta(minutes=-61), False),
        ("expires_at", timedelta(minutes=1), True),
        ("expires_at", timedelta(seconds=-1), False),
        ("revoked_at", timedelta(), False),
    ],
)
async def test_session_ends_when_idle_or_old_or_revoked(
    client: httpx2.AsyncClient,
    session: AsyncSession,
    settings: Settings,
    staff: User,
    column: str,
    delta: timedelta,
    alive: bool,
) -> None:
    token = await log_in(client, session, settings, staff)
    await shift(session, token, **{column: datetime.now(UTC) + delta})
    response = await client.get("/agents")
    assert response.status_code == (200 if alive else 303)
    api = await client.get("/api/v1/agents")
    assert api.status_code == (200 if alive else 401)


async def test_page_that_is_only_watched_lets_its_session_go_idle(
    client: httpx2.AsyncClient, session: AsyncSession, settings: Settings, staff: User
) -> None:
    token = await log_in(client, session, settings, staff)
    before = datetime.now(UTC) - timedelta(minutes=30)
    await shift(session, token, last_seen_at=before)
    seen = select(StaffSession.last_seen_at).where(StaffSession.token_sha256 == sha256(token))
    watching = await client.get("/agents", headers={"X-Background": "true"})
    assert watching.status_code == 200
    assert await session.scalar(seen) == before
    await client.get("/agents")
    assert await session.scalar(seen) != before


@pytest.mark.parametrize(
    "change",
    [{"is_active": False}, {"deleted_at": datetime(2026, 1, 1, tzinfo=UTC)}, {"role": Role.MEMBER}],
    ids=str,
)
async def test_session_dies_with_the_users_right_to_enter(
    web: httpx2.AsyncClient, session: AsyncSession, staff: User, change: dict[str, object]
) -> None:
    assert (await web.get("/agents")).status_code == 200
    for name, value in change.items():
        setattr(staff, name, value)
    await session.flush()
    assert (await web.get("/agents")).status_code == 303


async def test_being_seen_keeps_a_session_alive(
    client: httpx2.AsyncClient, session: AsyncSession, settings: Settings, staff: User
) -> None:
    token = await log_in(client, session, settings, staff)
    await shift(session, token, last_seen_at=datetime.now(UTC) - timedelta(minutes=50))
    await client.get("/agents")
    seen = await session.scalar(
        select(StaffSession.last_seen_at).where(StaffSession.token_sha256 == sha256(token))
    )
    assert seen is not None
    assert datetime.now(UTC) - seen < timedelta(minutes=1)


async def test_logout_kills_the_session_for_good(web: httpx2.AsyncClient) -> None:
    cookie = web.cookies[PLAIN_COOKIE]
    response = await web.post("/logout")
    assert response.headers["location"] == "/login"
    assert "max-age=0" in response.headers["set-cookie"].lower()
    assert "cache" in response.headers["clear-site-data"]
    web.cookies.set(PLAIN_COOKIE, cookie)
    assert (await web.get("/agents")).status_code == 303


async def test_eleventh_session_ends_the_first(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    tokens = [await make_session_token(session, staff) for _ in range(10)]
    await sign_in(client, staff.email)
    alive = select(func.count()).where(
        StaffSession.user_id == staff.id, StaffSession.revoked_at.is_(None)
    )
    assert await session.scalar(alive) == 10
    first = select(StaffSession.revoked_at).where(StaffSession.token_sha256 == sha256(tokens[0]))
    assert await session.scalar(first) is not None


@pytest.mark.parametrize("cookie", ["", "x", "a.b.c", "x" * 600, "%00", "token.sig"])
async def test_made_up_cookie_opens_nothing(client: httpx2.AsyncClient, cookie: str) -> None:
    client.cookies.set(PLAIN_COOKIE, cookie)
    assert (await client.get("/agents")).status_code == 303


async def test_cookie_signed_with_an_old_secret_still_opens(
    app: FastAPI,
    client: httpx2.AsyncClient,
    session: AsyncSession,
    settings: Settings,
    staff: User,
) -> None:
    await log_in(client, session, settings, staff)
    rotated = {"secret_key": SecretStr("n" * 40), "old_secret_keys": [settings.secret_key]}
    app.state.settings = settings.model_copy(update=rotated)
    assert (await client.get("/agents")).status_code == 200
    app.state.settings = settings.model_copy(update={"secret_key": SecretStr("n" * 40)})
    assert (await client.get("/agents")).status_code == 303


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "javascript:alert(1)",
        "evil.example",
        " //evil.example",
        "/ok\\..\\evil",
        "",
        "%2F%2Fevil.example",
        "/\x00//evil.example",
    ],
)
async def test_login_never_leads_to_another_site(
    client: httpx2.AsyncClient, staff: User, target: str
) -> None:
    shown = await client.get("/login", params={"next": target})
    assert 'name="next" value="/"' in shown.text
    assert (await sign_in(client, staff.email, next=target)).headers["location"] == "/"


async def test_page_without_a_session_leads_to_the_login_and_back(
    client: httpx2.AsyncClient,
) -> None:
    response = await client.get("/agents?q=a b")
    assert response.status_code == 303
    assert response.headers["location"] == "/login?next=%2Fagents%3Fq%3Da%2520b"
    part = await client.get("/agents", headers={"HX-Request": "true"})
    assert (part.status_code, part.headers["hx-redirect"]) == (401, "/login")


async def test_password_is_changed_and_other_sessions_end(
    web: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    other = await make_session_token(session, staff)
    new = "Better-Horse-8"
    form = {"current_password": PASSWORD, "password": new, "confirm_password": new}
    response = await web.post("/account/password", data=form)
    assert response.headers["location"] == "/account?notice=password"
    assert (await web.get("/account")).status_code == 200
    ended = select(StaffSession.revoked_at).where(StaffSession.token_sha256 == sha256(other))
    assert await session.scalar(ended) is not None
    event = await session.scalar(select(AuditEvent).where(AuditEvent.action == "change_password"))
    assert event is not None
    assert event.changes["hashed_password"] == ["secret", "changed"]
    assert (await sign_in(web, staff.email, new)).status_code == 303
    assert (await sign_in(web, staff.email, PASSWORD)).status_code == 401


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"current_password": "wrong"}, "The current password is not right."),
        ({"current_password": "x" * 5000}, "The current password is not right."),
        ({"current_password": "a\x00b"}, "The current password is not right."),
        ({"confirm_password": "Other-Horse-9"}, "the two passwords do not match"),
        ({"password": "Short-1", "confirm_password": "Short-1"}, "must have 8 to 128 characters"),
        ({"password": "lower-case-1", "confirm_password": "lower-case-1"}, "upper-case letter"),
        ({"password": "No-Digits-Here", "confirm_password": "No-Digits-Here"}, "a digit"),
        ({"password": "Password1", "confirm_password": "Password1"}, "common passwords"),
        ({"password": "A1" + "x" * 127, "confirm_password": "A1" + "x" * 127}, "8 to 128"),
    ],
)
async def test_password_outside_the_rules_is_refused_and_never_echoed(
    web: httpx2.AsyncClient, fields: dict[str, str], message: str
) -> None:
    new = "Better-Horse-8"
    form = {"current_password": PASSWORD, "password": new, "confirm_password": new} | fields
    response = await web.post("/account/password", data=form)
    assert response.status_code == 422
    assert message in response.text
    for secret in form.values():
        assert secret not in response.text
