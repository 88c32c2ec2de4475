"""The second factor: set up, asked for, used once, recovered, required."""

import re
import time

import httpx2
import pyotp
import pytest
from fastapi import FastAPI
from passlib.hash import bcrypt
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.models import AuditEvent, InstanceSettings, RecoveryCode, StaffSession, User
from app.services.second_factors import RECOVERY_CODES, STEP_S
from tests.conftest import client_of
from tests.factories.clients import SAME_ORIGIN, log_in
from tests.factories.users import PASSWORD, give_second_factor

CODE = re.compile(r"(?:[A-Z2-7]{6}-){3}[A-Z2-7]{6}")


def code_of(secret: str, steps: int = 0) -> str:
    """The code of now, or of so many steps later."""
    return pyotp.TOTP(secret).at(int(time.time()) + steps * STEP_S)


async def first_step(client: httpx2.AsyncClient, user: User) -> str:
    """What the page after the right password carries on to the second step."""
    client.headers.update(SAME_ORIGIN)
    form = {"email": user.email, "password": PASSWORD, "next": "/tools"}
    response = await client.post("/login", data=form)
    assert response.status_code == 200
    assert "set-cookie" not in response.headers
    found = re.search(r'name="step" value="([^"]+)"', response.text)
    assert found is not None
    return found.group(1)


async def second_step(client: httpx2.AsyncClient, step: str, code: str) -> httpx2.Response:
    return await client.post("/login/code", data={"step": step, "code": code, "next": "/tools"})


@pytest.fixture
async def secret(session: AsyncSession, staff: User, settings: Settings) -> str:
    return await give_second_factor(session, staff, settings)


@pytest.mark.usefixtures("secret")
async def test_password_alone_opens_nothing(client: httpx2.AsyncClient, staff: User) -> None:
    await first_step(client, staff)
    assert (await client.get("/agents")).status_code == 303


async def test_code_after_the_password_opens_the_product(
    client: httpx2.AsyncClient, staff: User, secret: str
) -> None:
    response = await second_step(client, await first_step(client, staff), code_of(secret))
    assert response.status_code == 303
    assert response.headers["location"] == "/tools"
    assert (await client.get("/agents")).status_code == 200


async def test_code_is_accepted_once(
    app: FastAPI, client: httpx2.AsyncClient, staff: User, secret: str
) -> None:
    code = code_of(secret)
    step = await first_step(client, staff)
    assert (await second_step(client, step, code)).status_code == 303
    async with client_of(app) as other:
        assert (await second_step(other, await first_step(other, staff), code)).status_code == 401


@pytest.mark.parametrize("code", ["", "000000", "abcdef", "１２３４５６", "9" * 64])
@pytest.mark.usefixtures("secret")
async def test_wrong_code_is_refused_and_on_record(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User, code: str
) -> None:
    response = await second_step(client, await first_step(client, staff), code)
    assert response.status_code == 401
    event = await session.scalar(select(AuditEvent).order_by(AuditEvent.id.desc()))
    assert event is not None
    assert event.action == "second_factor_refused"


@pytest.mark.parametrize("steps", [-3, 3])
async def test_code_of_another_time_is_refused(
    client: httpx2.AsyncClient, staff: User, secret: str, steps: int
) -> None:
    response = await second_step(client, await first_step(client, staff), code_of(secret, steps))
    assert response.status_code == 401


async def test_guessing_codes_ends_after_five(
    client: httpx2.AsyncClient, staff: User, secret: str
) -> None:
    step = await first_step(client, staff)
    answers = [(await second_step(client, step, "000000")).status_code for _ in range(6)]
    assert answers == [401] * 5 + [429]
    refused = await second_step(client, step, code_of(secret))
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0


@pytest.mark.parametrize("step", ["", "x", "1:00", "made.up.signature"])
async def test_second_step_without_the_first_is_refused(
    client: httpx2.AsyncClient, secret: str, step: str
) -> None:
    client.headers.update(SAME_ORIGIN)
    assert (await second_step(client, step, code_of(secret))).status_code == 401
    assert (await client.get("/agents")).status_code == 303


async def test_changed_password_ends_the_first_step(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User, secret: str
) -> None:
    step = await first_step(client, staff)
    await session.execute(update(User).values(hashed_password="other"))
    await session.refresh(staff)
    assert (await second_step(client, step, code_of(secret))).status_code == 401


async def enrol(web: httpx2.AsyncClient) -> list[str]:
    """Set a second factor up as a person does; the recovery codes."""
    assert (await web.post("/account/second-factor/begin")).status_code == 303
    page = await web.get("/account/second-factor")
    assert "<svg" in page.text
    assert page.headers["cache-control"] == "no-store"
    secret = re.search(r"<code[^>]*>([A-Z2-7]{32})</code>", page.text)
    assert secret is not None
    form = {"code": code_of(secret.group(1))}
    shown = await web.post("/account/second-factor/confirm", data=form)
    assert shown.status_code == 201
    return CODE.findall(shown.text)


async def test_enrolment_shows_codes_once_and_ends_other_sessions(
    app: FastAPI,
    web: httpx2.AsyncClient,
    session: AsyncSession,
    staff: User,
    settings: Settings,
) -> None:
    async with client_of(app) as elsewhere:
        await log_in(elsewhere, session, settings, staff)
        codes = await enrol(web)
        assert (await elsewhere.get("/agents")).status_code == 303
    assert len(set(codes)) == RECOVERY_CODES
    assert (await web.get("/agents")).status_code == 200
    assert codes[0] not in (await web.get("/account/second-factor")).text
    assert (await web.post("/account/second-factor/begin")).status_code == 409


async def test_recovery_code_replaces_the_phone_once(
    app: FastAPI, web: httpx2.AsyncClient, staff: User
) -> None:
    code = (await enrol(web))[0]
    for expected in (303, 401):
        async with client_of(app) as client:
            answer = await second_step(client, await first_step(client, staff), code.lower())
            assert answer.status_code == expected


async def test_new_recovery_codes_end_the_old_ones(
    app: FastAPI, web: httpx2.AsyncClient, staff: User
) -> None:
    old = (await enrol(web))[0]
    new = CODE.findall((await web.post("/account/second-factor/codes")).text)
    async with client_of(app) as client:
        step = await first_step(client, staff)
        assert (await second_step(client, step, old)).status_code == 401
        assert (await second_step(client, step, new[0])).status_code == 303


async def test_nothing_of_the_factor_is_stored_readable(
    web: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    codes = await enrol(web)
    await session.refresh(staff)
    assert staff.totp_secret is not None
    assert staff.totp_secret.startswith(b"gAAAA")  # Fernet
    stored = list(await session.scalars(select(RecoveryCode.code_sha256)))
    assert all(len(digest) == 32 for digest in stored)
    events = list(await session.scalars(select(AuditEvent.changes)))
    assert not any(code in str(events) for code in codes)


async def test_required_factor_opens_only_the_enrolment(
    web: httpx2.AsyncClient, session: AsyncSession
) -> None:
    await session.execute(update(InstanceSettings).values(require_second_factor=True))
    for path in ("/", "/agents", "/account", "/admin/", "/admin/agents/list"):
        response = await web.get(path)
        assert response.status_code == 303, path
        assert response.headers["location"] == "/account/second-factor"
    refused = await web.get("/api/v1/agents")
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "SECOND_FACTOR_REQUIRED"
    await enrol(web)
    assert (await web.get("/agents")).status_code == 200


async def long_ago(session: AsyncSession) -> None:
    """As if the password had been given 31 minutes ago."""
    await session.execute(
        update(StaffSession).values(
            reauthenticated_at=func.clock_timestamp() - text("interval '31 minutes'")
        )
    )


async def test_sensitive_change_asks_for_the_password_and_keeps_what_was_posted(
    web: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    await long_ago(session)
    asked = await web.post("/account/second-factor/begin", data={"kept": 'a"<b>'})
    assert asked.status_code == 403
    assert 'action="/account/second-factor/begin"' in asked.text
    assert 'name="kept" value="a&#34;&lt;b&gt;"' in asked.text
    await session.refresh(staff)
    assert staff.totp_secret is None
    wrong = await web.post(
        "/account/second-factor/begin", data={"reauthentication_password": "wrong"}
    )
    assert wrong.status_code == 403
    old_cookies = dict(web.cookies)
    done = await web.post(
        "/account/second-factor/begin", data={"reauthentication_password": PASSWORD}
    )
    assert done.status_code == 303
    assert dict(web.cookies) != old_cookies
    assert (await web.post("/account/second-factor/confirm", data={})).status_code == 422


async def test_session_before_reauthentication_is_over(
    app: FastAPI, web: httpx2.AsyncClient
) -> None:
    old = dict(web.cookies)
    form = {"reauthentication_password": PASSWORD, "next": "/tools"}
    response = await web.post("/reauthenticate", data=form)
    assert response.headers["location"] == "/tools"
    async with client_of(app, cookies=old) as replay:
        assert (await replay.get("/agents")).status_code == 303
    assert (await web.get("/agents")).status_code == 200


async def test_first_login_with_a_dated_hash_takes_the_code_too(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User, secret: str
) -> None:
    staff.hashed_password = bcrypt.using(rounds=4).hash(PASSWORD)
    await session.flush()
    response = await second_step(client, await first_step(client, staff), code_of(secret))
    assert response.status_code == 303
    await session.refresh(staff)
    assert (staff.hashed_password or "").startswith("$argon2id$")


async def test_forged_steps_use_up_nobodys_tries(
    client: httpx2.AsyncClient, staff: User, secret: str
) -> None:
    step = await first_step(client, staff)
    for _ in range(12):
        forged = await second_step(client, "forged", "123456")
        assert "Start again" in forged.text or forged.status_code in {401, 422}
    assert (await second_step(client, step, code_of(secret))).status_code == 303


async def test_wrong_confirmations_do_not_lock_the_login(
    app: FastAPI, web: httpx2.AsyncClient, staff: User
) -> None:
    for _ in range(12):
        await web.post("/reauthenticate", data={"reauthentication_password": "wrong"})
    async with client_of(app, headers=SAME_ORIGIN) as other:
        form = {"email": staff.email, "password": PASSWORD, "next": "/tools"}
        assert (await other.post("/login", data=form)).status_code == 303
