"""Logins of the JSON API: tokens that rotate, end together, and are never accepted twice."""

import re
from typing import Any

import httpx2
import pyotp
import pytest
from fastapi import FastAPI
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.permissions import ROLE_PERMISSIONS, Role
from app.models import AttemptKind, AuditEvent, InstanceSettings, LoginAttempt, RefreshToken, User
from app.schemas.users import UserUpdate
from app.services.users import UserService
from tests.conftest import actor_for, client_of
from tests.factories.agents import make_agent
from tests.factories.clients import key_headers, log_in
from tests.factories.executions import make_execution
from tests.factories.tools import make_tool
from tests.factories.users import PASSWORD, give_second_factor, make_user
from tests.integration.api.logins import (
    AUTH,
    NEW_PASSWORD,
    PASSWORDS,
    Tokens,
    bearer,
    refresh,
    sign_in,
    status_of,
)


async def test_member_logs_in_and_says_who_they_are(
    client: httpx2.AsyncClient, member: User
) -> None:
    tokens = await sign_in(client, member, email=f" {member.email.upper()} ")
    assert tokens["token_type"] == "bearer"
    assert tokens["expires_in"] == 600
    me = (await client.get(f"{AUTH}/me", headers=bearer(tokens))).json()
    assert me["user_id"] == member.id
    assert me["role"] == "member"
    assert set(me["permissions"]) == {str(p) for p in ROLE_PERMISSIONS[Role.MEMBER]}
    assert me["recently_authenticated"] is True


async def test_oauth2_form_works_as_json_does(client: httpx2.AsyncClient, member: User) -> None:
    form = {"grant_type": "password", "username": member.email, "password": PASSWORD}
    response = await client.post(f"{AUTH}/login", data=form)
    assert response.status_code == 200
    assert await status_of(client, response.json()) == 200


@pytest.mark.parametrize("state", ["wrong", "unknown", "disabled", "trashed", "invited"])
async def test_refusal_says_nothing_and_is_on_record(
    client: httpx2.AsyncClient, session: AsyncSession, state: str
) -> None:
    user = await make_user(session, Role.MEMBER, active=state != "disabled")
    if state == "trashed":
        user.deleted_at = user.created_at
    if state == "invited":
        user.hashed_password = None
    await session.flush()
    email = "nobody@example.com" if state == "unknown" else user.email
    password = "wrong" if state == "wrong" else PASSWORD
    response = await client.post(f"{AUTH}/login", json={"email": email, "password": password})
    assert response.status_code == 401
    message = "That e-mail and password do not belong to an active account."
    assert response.json()["error"]["message"] == message
    event = await session.scalar(select(AuditEvent).order_by(AuditEvent.id.desc()))
    assert event is not None
    assert (event.action, event.changes) == ("login_refused", {"email": [None, email]})


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"json": {}}, 422),
        ({"json": {"email": "a", "password": "b", "role": "superuser"}}, 422),
        ({"json": {"email": ["a"], "password": "b"}}, 422),
        ({"json": {"email": "a" * 2000, "password": "b"}}, 422),
        ({"json": {"email": "a\x00b", "password": "\x00"}}, 401),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 422),
        ({"content": b"email=a", "headers": {"Content-Type": "text/plain"}}, 415),
        ({"data": {"username": "a"}}, 401),
        ({"files": {"password": ("x", b"y")}}, 415),
    ],
)
async def test_login_that_cannot_be_read_is_a_clear_error(
    client: httpx2.AsyncClient, options: dict[str, Any], status: int
) -> None:
    response = await client.post(f"{AUTH}/login", **options)
    assert response.status_code == status
    assert response.json()["success"] is False


async def test_guessing_ends_after_ten(client: httpx2.AsyncClient, member: User) -> None:
    body = {"email": member.email, "password": "wrong"}
    answers = [(await client.post(f"{AUTH}/login", json=body)).status_code for _ in range(11)]
    assert answers == [401] * 10 + [429]
    right = await client.post(f"{AUTH}/login", json=body | {"password": PASSWORD})
    assert right.status_code == 429
    assert int(right.headers["retry-after"]) > 0


async def test_second_factor_is_asked_for_and_its_code_taken_once(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User, settings: Settings
) -> None:
    secret = await give_second_factor(session, staff, settings)
    body = {"email": staff.email, "password": PASSWORD}
    missing = await client.post(f"{AUTH}/login", json=body)
    assert missing.status_code == 403
    assert missing.json()["error"]["code"] == "SECOND_FACTOR_REQUIRED"
    wrong = await client.post(f"{AUTH}/login", json=body | {"code": "000000"})
    assert wrong.status_code == 401
    code = pyotp.TOTP(secret).now()
    await sign_in(client, staff, code=code)
    replay = await client.post(f"{AUTH}/login", json=body | {"code": code})
    assert replay.status_code == 401


async def test_guess_of_a_code_counts_only_with_the_right_password(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User, settings: Settings
) -> None:
    secret = await give_second_factor(session, staff, settings)
    body = {"email": staff.email, "password": PASSWORD, "code": "000000"}
    for _ in range(6):
        answer = await client.post(f"{AUTH}/login", json=body | {"password": "wrong"})
        assert answer.status_code == 401
    await session.execute(delete(LoginAttempt).where(LoginAttempt.kind == AttemptKind.PASSWORD))
    await sign_in(client, staff, code=pyotp.TOTP(secret).now())
    answers = [(await client.post(f"{AUTH}/login", json=body)).status_code for _ in range(6)]
    assert answers == [401] * 5 + [429]


async def test_staff_without_a_required_factor_get_no_token(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User, member: User
) -> None:
    await session.execute(update(InstanceSettings).values(require_second_factor=True))
    body = {"email": staff.email, "password": PASSWORD}
    assert (await client.post(f"{AUTH}/login", json=body)).status_code == 403
    await sign_in(client, member)


async def test_refresh_gives_a_new_pair(client: httpx2.AsyncClient, member: User) -> None:
    first = await sign_in(client, member)
    second = (await refresh(client, first)).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert await status_of(client, second) == 200
    assert (await refresh(client, second)).status_code == 200


async def test_lost_answer_is_answered_again_with_the_same_successor(
    client: httpx2.AsyncClient, member: User
) -> None:
    first = await sign_in(client, member)
    answers = [(await refresh(client, first)).json() for _ in range(3)]
    assert len({answer["refresh_token"] for answer in answers}) == 1
    assert await status_of(client, answers[0]) == 200


async def test_reuse_ends_the_whole_family(
    client: httpx2.AsyncClient, session: AsyncSession, member: User
) -> None:
    first, other = await sign_in(client, member), await sign_in(client, member)
    second = (await refresh(client, first)).json()
    past = func.clock_timestamp() - text("interval '11 seconds'")
    used = RefreshToken.used_at.is_not(None)
    await session.execute(update(RefreshToken).where(used).values(used_at=past))
    stolen = await refresh(client, first)
    assert stolen.status_code == 401
    for tokens in (first, second):
        assert await status_of(client, tokens) == 401
        assert (await refresh(client, tokens)).status_code == 401
    assert await status_of(client, other) == 200, "the other login goes on"
    event = await session.scalar(select(AuditEvent).order_by(AuditEvent.id.desc()))
    assert event is not None
    assert (event.action, event.actor_user_id) == ("reuse", member.id)


@pytest.mark.parametrize(
    ("age", "status"),
    [("9 seconds", 200), ("11 seconds", 401)],
)
async def test_lost_answer_is_repeated_for_ten_seconds(
    client: httpx2.AsyncClient, session: AsyncSession, member: User, age: str, status: int
) -> None:
    first = await sign_in(client, member)
    await refresh(client, first)
    when = func.clock_timestamp() - text(f"interval '{age}'")
    used = RefreshToken.used_at.is_not(None)
    await session.execute(update(RefreshToken).where(used).values(used_at=when))
    assert (await refresh(client, first)).status_code == status


@pytest.mark.parametrize(("age_s", "recent"), [(1799, True), (1801, False)])
async def test_refreshing_proves_nobody_anew(
    client: httpx2.AsyncClient, session: AsyncSession, member: User, age_s: int, recent: bool
) -> None:
    tokens = await sign_in(client, member)
    when = func.clock_timestamp() - text(f"interval '{age_s} seconds'")
    await session.execute(update(RefreshToken).values(authenticated_at=when))
    fresh = (await refresh(client, tokens)).json()
    me = (await client.get(f"{AUTH}/me", headers=bearer(fresh))).json()
    assert me["recently_authenticated"] is recent


@pytest.mark.parametrize(
    ("column", "age", "status"),
    [
        ("expires_at", "-1 second", 200),
        ("expires_at", "1 second", 401),
    ],
)
async def test_refresh_token_is_over_by_the_clock_of_the_database(
    client: httpx2.AsyncClient,
    session: AsyncSession,
    member: User,
    column: str,
    age: str,
    status: int,
) -> None:
    tokens = await sign_in(client, member)
    when = func.clock_timestamp() - text(f"interval '{age}'")
    await session.execute(update(RefreshToken).values({column: when}))
    assert (await refresh(client, tokens)).status_code == status


async def test_refreshing_does_not_go_on_for_ever(
    client: httpx2.AsyncClient, session: AsyncSession, member: User
) -> None:
    tokens = await sign_in(client, member)
    past = func.clock_timestamp() - text("interval '59 days'")
    await session.execute(update(RefreshToken).values(authenticated_at=past))
    await refresh(client, tokens)
    within = RefreshToken.expires_at <= func.clock_timestamp() + text("interval '1 day'")
    newest = select(within).order_by(RefreshToken.id.desc()).limit(1)
    assert await session.scalar(newest)


async def change_password(client: httpx2.AsyncClient, tokens: Tokens) -> None:
    path = f"{AUTH}/password/change"
    answer = await client.post(path, json=PASSWORDS, headers=bearer(tokens))
    assert answer.status_code == 204, answer.text


@pytest.mark.parametrize("by", ["refresh_token", "access_token"])
async def test_logout_ends_every_token_of_that_login(
    client: httpx2.AsyncClient, member: User, by: str
) -> None:
    first = await sign_in(client, member)
    second = (await refresh(client, first)).json()
    body = {"refresh_token": first["refresh_token"]} if by == "refresh_token" else None
    headers = bearer(second) if by == "access_token" else {}
    for _ in range(2):
        answer = await client.post(f"{AUTH}/logout", json=body, headers=headers)
        assert answer.status_code == 204
    assert await status_of(client, second) == 401
    assert (await refresh(client, second)).status_code == 401


async def test_logout_of_nothing_says_what_to_send(client: httpx2.AsyncClient) -> None:
    assert (await client.post(f"{AUTH}/logout")).status_code == 400
    over = await client.post(f"{AUTH}/logout", headers={"Authorization": "Bearer a.b.c"})
    assert over.status_code == 401, "nothing ended, so it must not look as if something had"
    unknown = await client.post(f"{AUTH}/logout", json={"refresh_token": "unknown"})
    assert unknown.status_code == 204


@pytest.mark.parametrize("end", ["password", "role", "disabled", "trashed"])
async def test_tokens_are_over_when_the_person_changes(
    client: httpx2.AsyncClient,
    session: AsyncSession,
    member: User,
    superuser: User,
    end: str,
) -> None:
    tokens = await sign_in(client, member)
    users = UserService(session, actor_for(superuser))
    if end == "password":
        await change_password(client, tokens)
    elif end == "role":
        await users.update(member.id, UserUpdate(role=Role.VIEWER))
    elif end == "disabled":
        await users.update(member.id, UserUpdate(is_active=False))
    else:
        await users.delete(member.id)
    expected = 403 if end in {"disabled", "trashed"} else 401
    assert await status_of(client, tokens) == expected
    refused = await refresh(client, tokens)
    assert refused.status_code == expected
    message = "This account is disabled." if expected == 403 else "This refresh token is over."
    assert refused.json()["error"]["message"].startswith(message)


async def test_reset_by_link_ends_tokens(
    client: httpx2.AsyncClient, member: User, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = await sign_in(client, member)
    for email in (member.email, "nobody@example.com"):
        answer = await client.post(f"{AUTH}/password/forgot", json={"email": email})
        assert (answer.status_code, answer.content) == (202, b"null")
    found = set(re.findall(r"token=([\w-]{43})", caplog.text))
    body = {"token": found.pop(), "password": NEW_PASSWORD, "confirm_password": NEW_PASSWORD}
    assert (await client.post(f"{AUTH}/password/reset", json=body)).status_code == 204
    assert (await client.post(f"{AUTH}/password/reset", json=body)).status_code == 404
    assert await status_of(client, tokens) == 401


async def test_key_and_cookie_say_who_they_are_and_a_key_changes_no_password(
    app: FastAPI, client: httpx2.AsyncClient, session: AsyncSession, staff: User, settings: Settings
) -> None:
    keys = await key_headers(session, staff)
    assert (await client.get(f"{AUTH}/me", headers=keys)).json()["api_key_id"] is not None
    refused = await client.post(f"{AUTH}/password/change", json=PASSWORDS, headers=keys)
    assert refused.status_code == 403
    async with client_of(app) as browser:
        await log_in(browser, session, settings, staff)
        assert (await browser.get(f"{AUTH}/me")).json()["user_id"] == staff.id


@pytest.mark.parametrize("token", ["x", "a.b.c", "gr_", "gr_x", "é", "x" * 5000])
async def test_bearer_that_is_nothing_of_ours_is_refused(
    client: httpx2.AsyncClient, token: str
) -> None:
    headers = [(b"Authorization", f"Bearer {token}".encode())]
    assert (await client.get("/api/v1/agents", headers=headers)).status_code == 401


async def test_refresh_and_access_tokens_are_not_swapped(
    client: httpx2.AsyncClient, member: User
) -> None:
    tokens = await sign_in(client, member)
    swapped = {
        "access_token": tokens["refresh_token"],
        "refresh_token": tokens["access_token"][:256],
    }
    assert await status_of(client, swapped) == 401
    assert (await refresh(client, swapped)).status_code == 401


async def test_pages_accept_no_token(client: httpx2.AsyncClient, staff: User) -> None:
    headers = bearer(await sign_in(client, staff))
    for path in ("/", "/agents", "/admin/"):
        assert (await client.get(path, headers=headers)).status_code == 303


async def rows_of(session: AsyncSession, user: User) -> dict[str, int]:
    """An agent, a tool and a run of this person: path of the list, and id."""
    actor = actor_for(user)
    agent, tool = await make_agent(session, actor), await make_tool(session, actor)
    run = await make_execution(session, actor, agent)
    return {"agents": agent.id, "tools": tool.id, "executions": run.id}


async def test_member_sees_only_what_is_their_own(
    client: httpx2.AsyncClient, session: AsyncSession, member: User, staff: User
) -> None:
    foreign, own = await rows_of(session, staff), await rows_of(session, member)
    headers = bearer(await sign_in(client, member))
    for kind, row_id in own.items():
        listed = (await client.get(f"/api/v1/{kind}", headers=headers)).json()["items"]
        assert [row["id"] for row in listed] == [row_id]
        missing = await client.get(f"/api/v1/{kind}/987654321", headers=headers)
        hidden = await client.get(f"/api/v1/{kind}/{foreign[kind]}", headers=headers)
        assert hidden.status_code == missing.status_code == 404
        assert hidden.json()["error"] == missing.json()["error"]


async def test_recognising_a_token_is_one_query(
    client: httpx2.AsyncClient, member: User, counted: Any
) -> None:
    headers = bearer(await sign_in(client, member))
    with counted:
        await client.get(f"{AUTH}/me", headers=headers)
    assert counted.count == 1
