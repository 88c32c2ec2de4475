"""API keys: what opens, what no longer does, and how far."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.config import Settings
from app.core.permissions import KEY_SCOPES, Permission, Role
from app.models import StaffSession, User
from tests.conftest import QueryCounter
from tests.factories.agents import make_agent
from tests.factories.api_keys import make_api_key
from tests.factories.clients import log_in
from tests.factories.executions import execution_data, make_execution
from tests.factories.users import make_user
from tests.integration.envelope import assert_envelope

AGENTS, KEYS = "/api/v1/agents", "/api/v1/api-keys"


def by_header(token: str) -> dict[str, str]:
    return {"X-API-Key": token}


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_key_opens_by_either_header(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User, scheme: str
) -> None:
    _, token = await make_api_key(session, staff)
    for headers in (by_header(token), {"Authorization": f"{scheme} {token}"}):
        assert (await client.get(AGENTS, headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "token",
    [
        "",
        "gr_",
        "x",
        "gr_" + "a" * 49,
        "gr_" + "a" * 5000,
        "gr_0000000000000000000000000000000000000000000000000",
        "Bearer gr_x",
    ],
)
async def test_unknown_or_malformed_key_is_refused(client: httpx2.AsyncClient, token: str) -> None:
    assert_envelope(await client.get(AGENTS, headers=by_header(token)), 401, "UNAUTHORIZED")


async def test_mistyped_key_is_refused(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    _, token = await make_api_key(session, staff)
    other_end = token[:-1] + ("1" if token[-1] == "0" else "0")
    for wrong in (token[:-1], token + "0", other_end, token.swapcase(), "xx" + token[2:]):
        assert_envelope(await client.get(AGENTS, headers=by_header(wrong)), 401)


@pytest.mark.parametrize(
    "ended",
    [
        {"revoked_at": datetime.now(UTC)},
        {"expires_at": datetime.now(UTC) - timedelta(seconds=1)},
    ],
    ids=["revoked", "expired"],
)
async def test_ended_key_is_refused(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User, ended: dict[str, Any]
) -> None:
    key, token = await make_api_key(session, staff)
    for name, value in ended.items():
        setattr(key, name, value)
    await session.flush()
    assert_envelope(await client.get(AGENTS, headers=by_header(token)), 401, "UNAUTHORIZED")


@pytest.mark.parametrize("change", [{"is_active": False}, {"deleted_at": datetime.now(UTC)}])
async def test_key_of_a_disabled_owner_is_refused(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User, change: dict[str, Any]
) -> None:
    _, token = await make_api_key(session, staff)
    for name, value in change.items():
        setattr(staff, name, value)
    await session.flush()
    assert_envelope(await client.get(AGENTS, headers=by_header(token)), 401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    ("scopes", "method", "status"),
    [
        ([Permission.AGENTS_READ], "GET", 200),
        ([Permission.AGENTS_READ], "POST", 403),
        ([Permission.TOOLS_READ], "GET", 403),
        ([Permission.AGENTS_READ, Permission.AGENTS_WRITE], "POST", 201),
    ],
)
async def test_key_does_what_its_scopes_say(
    client: httpx2.AsyncClient,
    session: AsyncSession,
    staff: User,
    scopes: Sequence[Permission],
    method: str,
    status: int,
) -> None:
    _, token = await make_api_key(session, staff, scopes)
    body = {"name": "bot", "model": "m"} if method == "POST" else None
    response = await client.request(method, AGENTS, headers=by_header(token), json=body)
    assert response.status_code == status


async def test_key_of_a_demoted_owner_does_no_more_than_the_owner_may(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    _, token = await make_api_key(session, staff)
    data = {"name": "bot", "model": "m"}
    assert (await client.post(AGENTS, json=data, headers=by_header(token))).status_code == 201
    staff.role = Role.VIEWER
    await session.flush()
    response = await client.post(AGENTS, json=data | {"name": "two"}, headers=by_header(token))
    assert_envelope(response, 403, "FORBIDDEN")
    assert (await client.get(AGENTS, headers=by_header(token))).status_code == 200


async def test_key_of_one_agent_sees_nothing_of_the_others(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User, actor: Actor
) -> None:
    mine, other = await make_agent(session, actor), await make_agent(session, actor)
    run = await make_execution(session, actor, other)
    _, token = await make_api_key(session, staff, agent=mine)
    client.headers.update(by_header(token))
    assert [a["id"] for a in (await client.get(AGENTS)).json()["items"]] == [mine.id]
    assert (await client.get("/api/v1/executions")).json()["items"] == []
    for method, path in (
        ("GET", f"{AGENTS}/{other.id}"),
        ("DELETE", f"{AGENTS}/{other.id}"),
        ("GET", f"{AGENTS}/by-name/{other.name}/config"),
        ("GET", f"/api/v1/executions/{run.id}"),
        ("GET", f"/api/v1/executions/{run.id}/trace"),
        ("DELETE", f"/api/v1/executions/{run.id}"),
    ):
        assert_envelope(await client.request(method, path), 404, "RESOURCE_NOT_FOUND")
    foreign = await client.post("/api/v1/executions", json=execution_data(other))
    assert_envelope(foreign, 422, "VALIDATION_ERROR")
    own = await client.post("/api/v1/executions", json=execution_data(mine))
    assert own.status_code == 201


async def test_key_of_one_agent_changes_nothing_that_others_share(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User, actor: Actor
) -> None:
    from tests.factories.tools import make_tool

    mine, tool = await make_agent(session, actor), await make_tool(session, actor)
    _, token = await make_api_key(session, staff, agent=mine)
    client.headers.update(by_header(token))
    for method, path, body in (
        ("POST", AGENTS, {"name": "another", "model": "m"}),
        ("POST", "/api/v1/tools", {"name": "another"}),
        ("PATCH", f"/api/v1/tools/{tool.id}", {"description": "changed"}),
        ("DELETE", f"/api/v1/tools/{tool.id}", None),
    ):
        assert_envelope(await client.request(method, path, json=body), 403, "FORBIDDEN")


async def test_use_of_a_key_is_noted(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    key, token = await make_api_key(session, staff)
    await client.get(AGENTS, headers=by_header(token))
    await session.refresh(key)
    assert key.last_used_at is not None
    assert key.last_used_ip == "127.0.0.1"
    assert key.row_version == 1


async def test_new_key_is_shown_once_and_works(
    web: httpx2.AsyncClient, client: httpx2.AsyncClient
) -> None:
    made = await web.post(KEYS, json={"name": "ci", "scopes": ["agents:read"]})
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    token = made.json()["key"]
    again = await web.get(made.headers["location"])
    listed = await web.get(KEYS)
    assert token not in again.text + listed.text
    assert "secret" not in again.text + listed.text
    assert again.json()["prefix"] == token[:10]
    assert (await client.get(AGENTS, headers=by_header(token))).status_code == 200


async def test_revoked_key_opens_nothing_from_then_on(
    web: httpx2.AsyncClient, client: httpx2.AsyncClient
) -> None:
    made = await web.post(KEYS, json={"name": "ci", "scopes": ["agents:read"]})
    url, token = made.headers["location"], made.json()["key"]
    assert (await web.delete(url)).status_code == 204
    assert_envelope(await client.get(AGENTS, headers=by_header(token)), 401)
    assert_envelope(await web.delete(url), 409, "CONFLICT")
    assert (await web.get(url)).json()["revoked_at"] is not None


@pytest.mark.parametrize(
    "data",
    [
        {"name": "", "scopes": ["agents:read"]},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["users:manage"]},
        {"name": "x", "scopes": ["keys:write"]},
        {"name": "x", "scopes": ["everything"]},
        {"name": "x", "scopes": ["agents:read"], "agent_id": 0},
        {"name": "x", "scopes": ["agents:read"], "expires_at": "2026-01-01T00:00:00"},
        {"name": "x", "scopes": ["agents:read"], "user_id": 1},
    ],
)
async def test_key_outside_the_rules_is_refused(
    web: httpx2.AsyncClient, data: dict[str, Any]
) -> None:
    assert_envelope(await web.post(KEYS, json=data), 422, "VALIDATION_ERROR")


async def test_keys_cannot_make_keys(api: httpx2.AsyncClient) -> None:
    data = {"name": "x", "scopes": ["agents:read"]}
    assert_envelope(await api.post(KEYS, json=data), 403, "FORBIDDEN")
    assert_envelope(await api.get(KEYS), 403, "FORBIDDEN")


async def test_staff_see_their_own_keys_and_superusers_all(
    web: httpx2.AsyncClient, session: AsyncSession, superuser: User, staff: User
) -> None:
    from app.services.api_keys import ApiKeyService
    from tests.conftest import actor_for

    theirs, _ = await make_api_key(session, superuser)
    own, _ = await make_api_key(session, staff)
    assert [k["id"] for k in (await web.get(KEYS)).json()["items"]] == [own.id]
    assert_envelope(await web.get(f"{KEYS}/{theirs.id}"), 404, "RESOURCE_NOT_FOUND")
    assert_envelope(await web.delete(f"{KEYS}/{theirs.id}"), 404, "RESOURCE_NOT_FOUND")
    everything = ApiKeyService(session, actor_for(superuser))
    assert await everything.count() >= 2


@pytest.mark.parametrize("scope", KEY_SCOPES)
def test_no_scope_of_a_key_manages_people(scope: Permission) -> None:
    assert not scope.startswith(("users:", "keys:", "audit:", "sessions:", "back_office:"))


async def test_key_lasts_ninety_days_unless_told_otherwise(web: httpx2.AsyncClient) -> None:
    body = {"name": "lasting", "scopes": ["agents:read"]}
    usual = datetime.fromisoformat((await web.post(KEYS, json=body)).json()["expires_at"])
    assert timedelta(days=89) < usual - datetime.now(UTC) < timedelta(days=91)
    never = await web.post(KEYS, json=body | {"expires_at": None})
    assert never.json()["expires_at"] is None
    for wrong in ("2020-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"):
        refused = await web.post(KEYS, json=body | {"expires_at": wrong})
        assert_envelope(refused, 422, "VALIDATION_ERROR")


async def test_making_a_key_asks_for_the_password_after_a_while(
    web: httpx2.AsyncClient, session: AsyncSession
) -> None:
    past = func.clock_timestamp() - text("interval '31 minutes'")
    await session.execute(update(StaffSession).values(reauthenticated_at=past))
    body = {"name": "late", "scopes": ["agents:read"]}
    assert_envelope(await web.post(KEYS, json=body), 403, "REAUTHENTICATION_REQUIRED")
    assert "Confirm that it is you" in (await web.get("/keys/new")).text
    assert (await web.get(KEYS)).status_code == 200


async def test_unused_keys_are_reported(
    web: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    now = datetime.now(UTC)
    old = now - timedelta(days=31)
    kinds: dict[str, dict[str, Any]] = {
        "never used": {"created_at": old},
        "used long ago": {"created_at": old, "last_used_at": old},
        "used lately": {"created_at": old, "last_used_at": now},
        "new": {},
        "revoked": {"created_at": old, "revoked_at": old},
        "expired": {"created_at": old, "expires_at": old},
    }
    for name, values in kinds.items():
        key, _ = await make_api_key(session, staff)
        key.name = name
        for field, value in values.items():
            setattr(key, field, value)
    await session.flush()
    found = (await web.get(f"{KEYS}?unused_days=30")).json()["items"]
    assert {key["name"] for key in found} == {"never used", "used long ago"}
    assert "2 working keys have not been used" in (await web.get("/keys")).text
    assert "used lately" not in (await web.get("/keys?unused_days=30")).text


async def test_keys_are_found_by_name_and_by_first_characters(
    web: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    key, token = await make_api_key(session, staff)
    await make_api_key(session, await make_user(session))
    key.name = "prod_eu 100%"
    await session.flush()
    for q, count in (("EU 100", 1), ("prod%eu", 0), (token[:10], 1), ("gr_", 0), ("test", 0)):
        found = (await web.get(KEYS, params={"q": q})).json()["items"]
        assert len(found) == count, q


async def test_key_for_an_agent_that_is_not_there_is_refused(web: httpx2.AsyncClient) -> None:
    body = {"name": "x", "scopes": ["agents:read"], "agent_id": 2**62}
    refused = await web.post(KEYS, json=body)
    assert_envelope(refused, 422, "VALIDATION_ERROR")
    assert "There is no such agent." in refused.text


async def test_key_is_renamed_and_nothing_else(
    web: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    key, _ = await make_api_key(session, staff)
    url = f"{KEYS}/{key.id}"
    assert (await web.patch(url, json={"name": " new name "})).json()["name"] == "new name"
    refused: list[dict[str, Any]]
    refused = [{"name": ""}, {"name": None}, {"name": "x" * 101}, {"scopes": []}]
    for wrong in refused:
        assert_envelope(await web.patch(url, json=wrong), 422, "VALIDATION_ERROR")
    foreign, _ = await make_api_key(session, await make_user(session))
    answer = await web.patch(f"{KEYS}/{foreign.id}", json={"name": "mine"})
    assert_envelope(answer, 404, "RESOURCE_NOT_FOUND")


async def test_second_use_within_a_minute_writes_nothing(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User, counted: QueryCounter
) -> None:
    key, token = await make_api_key(session, staff)
    await client.get("/api/v1/auth/me", headers=by_header(token))
    await session.refresh(key)
    assert (key.last_used_at is not None, key.last_used_ip) == (True, "127.0.0.1")
    with counted:
        await client.get("/api/v1/auth/me", headers=by_header(token))
    assert counted.count == 1


async def test_superuser_sees_everyones_keys_and_staff_their_own(
    client: httpx2.AsyncClient, session: AsyncSession, settings: Settings, superuser: User
) -> None:
    foreign, _ = await make_api_key(session, await make_user(session))
    foreign.name = "foreign key"
    await session.flush()
    await log_in(client, session, settings, superuser)
    assert "foreign key" not in (await client.get("/keys")).text
    assert "foreign key" in (await client.get("/keys?everyone=1")).text
    assert "foreign key" in (await client.get(f"/keys/{foreign.id}")).text
    await log_in(client, session, settings, await make_user(session))
    assert "foreign key" not in (await client.get("/keys?everyone=1")).text
    assert (await client.get(f"/keys/{foreign.id}")).status_code == 404
    assert (await client.post(f"/keys/{foreign.id}/rotate")).status_code == 404
