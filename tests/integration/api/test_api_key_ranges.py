"""Address ranges: where a key opens, and that elsewhere it looks like no key at all."""

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs

from app.core.security import new_token
from app.models import User
from app.services.api_keys import is_within
from tests.factories.api_keys import make_api_key
from tests.integration.envelope import assert_envelope

AGENTS, KEYS = "/api/v1/agents", "/api/v1/api-keys"


def by_header(token: str) -> dict[str, str]:
    return {"X-API-Key": token}


@pytest.mark.parametrize(
    ("ranges", "ip", "status"),
    [
        (["127.0.0.0/8"], "127.0.0.1", 200),
        (["10.0.0.0/8", "127.0.0.1/32"], "127.0.0.1", 200),
        (["10.0.0.0/8"], "127.0.0.1", 401),
        (["127.0.0.0/8"], "::ffff:127.0.0.1", 200),
        (["2001:db8::/32"], "2001:db8::1", 200),
        (["2001:db8::/32"], "2001:db9::1", 401),
        (["0.0.0.0/0"], "2001:db8::1", 401),
        (["0.0.0.0/0"], "not-an-address", 401),
    ],
)
async def test_key_opens_only_from_its_ranges(
    app: FastAPI,
    session: AsyncSession,
    staff: User,
    ranges: list[str],
    ip: str,
    status: int,
) -> None:
    key, token = await make_api_key(session, staff)
    key.allowed_cidrs = ranges
    await session.flush()
    transport = httpx2.ASGITransport(app=app, client=(ip, 1))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        # What a proxy would say counts only when that proxy is trusted.
        headers = by_header(token) | {"X-Forwarded-For": "10.0.0.1"}
        assert (await client.get(AGENTS, headers=headers)).status_code == status


def test_ranges_without_a_known_address_open_nothing() -> None:
    assert not is_within(None, ["0.0.0.0/0", "::/0"])
    assert is_within(None, [])


async def test_use_from_elsewhere_looks_like_no_key_and_is_logged(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    key, token = await make_api_key(session, staff)
    key.allowed_cidrs = ["10.0.0.0/8"]
    await session.flush()
    with capture_logs() as logs:
        elsewhere = await client.get(AGENTS, headers=by_header(token))
    unknown = await client.get(AGENTS, headers=by_header(new_token("gr")))
    assert (elsewhere.status_code, elsewhere.json()["error"]) == (401, unknown.json()["error"])
    [line] = [entry for entry in logs if entry["log_level"] == "warning"]
    assert (line["key_id"], line["ip"]) == (key.id, "127.0.0.1")
    assert token not in str(logs)
    await session.refresh(key)
    assert key.last_used_at is None


async def test_ranges_are_normalised_and_checked(web: httpx2.AsyncClient) -> None:
    body = {"name": "ranged", "scopes": ["agents:read"]}
    made = await web.post(KEYS, json=body | {"allowed_cidrs": ["192.0.2.7/24", "192.0.2.0/24"]})
    assert made.json()["allowed_cidrs"] == ["192.0.2.0/24"]
    as_ipv6 = {"allowed_cidrs": ["::ffff:10.0.0.0/104", "2001:DB8::1"]}
    made = await web.post(KEYS, json=body | as_ipv6)
    assert made.json()["allowed_cidrs"] == ["10.0.0.0/8", "2001:db8::1/128"]
    for wrong in (["x"], ["1.2.3.4/33"], ["1.2.3.4"] * 21, [""], ["a" * 65]):
        refused = await web.post(KEYS, json=body | {"allowed_cidrs": wrong})
        assert_envelope(refused, 422, "VALIDATION_ERROR")
