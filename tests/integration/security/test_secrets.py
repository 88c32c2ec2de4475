"""No secret is logged, and nothing that is logged can forge a line (A16, A17)."""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import httpx2
import pyotp
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.logging import configure_logging
from app.models import User
from tests.conftest import client_of
from tests.factories.api_keys import make_api_key
from tests.factories.clients import SAME_ORIGIN, log_in
from tests.factories.users import PASSWORD, give_second_factor

AUTH = "/api/v1/auth"
NEW_PASSWORD = "Canary-Horse-8"


async def everything_secret(
    client: httpx2.AsyncClient, session: AsyncSession, user: User, settings: Settings
) -> list[str]:
    """Use each kind of credential well and badly; what must not be found anywhere."""
    totp = await give_second_factor(session, user, settings)
    code = pyotp.TOTP(totp).now()
    _, key = await make_api_key(session, user)
    body = {"email": user.email, "password": PASSWORD, "code": code}
    tokens = (await client.post(f"{AUTH}/login", json=body)).json()
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    await client.get(f"{AUTH}/me", headers=bearer)
    await client.get(f"{AUTH}/me", headers={"X-API-Key": key})
    await client.get(f"{AUTH}/me", headers={"X-API-Key": key + "x"})
    await client.get(f"{AUTH}/me", headers={"Authorization": bearer["Authorization"] + "x"})
    await client.post(f"{AUTH}/token/refresh", json={"refresh_token": tokens["refresh_token"]})
    await client.post(f"{AUTH}/token/refresh", json={"refresh_token": "canary-refresh"})
    await client.post(f"{AUTH}/login", json=body | {"password": "canary-wrong"})
    await client.post(f"{AUTH}/login", json=body | {"extra": "canary-extra"})
    await client.post("/login", data={"email": user.email, "password": "canary-page"})
    await client.get("/password/set?token=canary-link")
    changed = {
        "current_password": PASSWORD,
        "password": NEW_PASSWORD,
        "confirm_password": NEW_PASSWORD + "x",
    }
    await client.post(f"{AUTH}/password/change", json=changed, headers=bearer)
    session_token = await log_in(client, session, settings, user)
    await client.get("/account")
    await client.post("/account/password", data=changed)
    return [
        PASSWORD,
        NEW_PASSWORD,
        code,
        totp,
        key,
        tokens["access_token"],
        tokens["refresh_token"],
        session_token,
        "canary-",
    ]


async def test_no_secret_is_logged(
    client: httpx2.AsyncClient,
    session: AsyncSession,
    staff: User,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    client.headers.update(SAME_ORIGIN)
    secrets = await everything_secret(client, session, staff, settings)
    logged = caplog.text + capsys.readouterr().err
    assert logged.count("request") > 10
    for secret in secrets:
        assert secret not in logged, secret[:10]


@contextmanager
def logging_json(settings: Settings, is_json: bool) -> Iterator[None]:
    """Log to what ``capsys`` reads, and not to that once it is closed."""
    root = logging.getLogger()
    handlers = root.handlers
    configure_logging(settings.model_copy(update={"log_json": is_json}))
    try:
        yield
    finally:
        configure_logging(settings)
        root.handlers = handlers


async def test_path_cannot_steer_the_terminal_that_shows_the_log(
    client: httpx2.AsyncClient, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with logging_json(settings, False):
        await client.get("/agents/%1b%5b2J%c2%9b31m%e2%80%aex")
        shown = capsys.readouterr().err
    assert "\\x1b[2J" in shown
    assert not {"\x1b", "\x9b", "\u202e"} & set(shown)


@pytest.mark.parametrize(
    "text",
    [
        "a\r\nlevel=critical event=forged",
        "a\x1b[31mred",
        "a\u2028forged",
        '{"event": "forged"}',
        "x" * 10_000,
    ],
)
async def test_what_is_sent_cannot_forge_a_line_of_the_log(
    app: FastAPI, settings: Settings, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    with logging_json(settings, True):
        headers = [(b"User-Agent", text.encode()), (b"X-Correlation-ID", text.encode())]
        async with client_of(app, headers=headers) as client:
            await client.get(f"/agents/{quote(text)}")
        lines = [line for line in capsys.readouterr().err.splitlines() if line]
    assert lines
    for line in lines:
        event = json.loads(line)
        assert event["event"] != "forged"
        assert re.fullmatch(r"[A-Za-z0-9_-]{8,64}", event["request_id"])
