"""What may be read and written field by field (A6, ASVS 8.2.3, 15.3.3)."""

import re

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.keys import SecretBox
from app.core.permissions import Role
from app.core.security import sha256
from app.models import Base, RefreshToken, StaffSession, User
from app.services.refresh_tokens import RefreshTokenService
from app.services.second_factors import SecondFactorService
from tests.conftest import actor_for
from tests.factories.agents import make_agent
from tests.factories.api_keys import make_api_key
from tests.factories.executions import make_execution
from tests.factories.tools import make_tool
from tests.factories.users import make_user
from tests.factories.webhook_endpoints import make_webhook_endpoint
from tests.integration.doors import Door, doors_of
from tests.integration.security.principals import Principal, client_as
from tests.integration.security.test_matrix import rows_of, url_of

TABLES = {model.__tablename__: model for model in Base.__subclasses__()}
# What the API writes, and the rows that it writes to.
WRITES = {
    "agents": ("POST /api/v1/agents", "PATCH /api/v1/agents/{agent_id}"),
    "tools": ("POST /api/v1/tools", "PATCH /api/v1/tools/{tool_id}"),
    "executions": ("POST /api/v1/executions", "PATCH /api/v1/executions/{execution_id}"),
    "users": ("POST /api/v1/users", "PATCH /api/v1/users/{user_id}"),
    "api_keys": ("POST /api/v1/api-keys", "PATCH /api/v1/api-keys/{key_id}"),
    "saved_views": ("POST /api/v1/saved-views", "PATCH /api/v1/saved-views/{view_id}"),
    "webhook_endpoints": ("POST /api/v1/webhooks", "PATCH /api/v1/webhooks/{webhook_id}"),
}


def accepted(app: FastAPI, door: Door) -> set[str]:
    """The fields that the door's schema declares."""
    schema = app.openapi()
    body = schema["paths"][door.path][door.method.lower()]["requestBody"]
    found = body["content"]["application/json"]["schema"]
    name = found["$ref"].rpartition("/")[2]
    return set(schema["components"]["schemas"][name]["properties"])


@pytest.mark.parametrize("table", WRITES)
async def test_column_that_is_not_declared_cannot_be_written(
    app: FastAPI, session: AsyncSession, settings: Settings, table: str
) -> None:
    rows = await rows_of(session, Role.SUPERUSER)
    await session.refresh(rows.user)
    principal = Principal("cookie", Role.SUPERUSER)
    columns = set(TABLES[table].__table__.columns.keys())
    async with client_as(principal, app, session, settings, rows.user) as client:
        for name in WRITES[table]:
            door = next(door for door in doors_of(app) if door.name == name)
            undeclared = columns - accepted(app, door) - {"model_name"}
            assert undeclared & {"id", "created_at"}, name
            for column in sorted(undeclared):
                response = await client.request(
                    door.method, url_of(door, rows.live), json={column: "canary"}
                )
                assert response.status_code == 422, (name, column)
                fields = [d["field"] for d in response.json()["error"]["details"]]
                assert any(column in field for field in fields), (name, column)


async def secrets_of(session: AsyncSession, user: User, settings: Settings) -> list[str]:
    """Give every secret column a value, and tell how each could show itself."""
    actor = actor_for(user)
    factors = SecondFactorService(session, actor, settings)
    totp = await factors.begin()
    key, token = await make_api_key(session, user)
    pair = await RefreshTokenService(session, actor, settings).open(user, None)
    successor = SecretBox(settings, "refresh-successor").seal("canary-successor")
    await session.execute(text("UPDATE refresh_tokens SET successor = :s"), {"s": successor})
    stored = [row.token_sha256 for row in await session.scalars(select(StaffSession))]
    stored += [row.token_sha256 for row in await session.scalars(select(RefreshToken))]
    shown = [user.hashed_password or "", "argon2id", totp.secret, token, pair.refresh_token]
    shown += [digest.hex() for digest in (*stored, key.secret_sha256, sha256(token))]
    hook = await make_webhook_endpoint(session, events=["job.failed"])
    shown += [hook.secret, hook.endpoint.sealed_secret.decode()[:40]]
    return [*shown, successor.decode()[:40], (user.totp_secret or b"").decode()[:40]]


@pytest.mark.parametrize(
    "principal",
    [
        Principal("cookie", Role.SUPERUSER),
        Principal("cookie", Role.VIEWER),
        Principal("token", Role.SUPERUSER),
        Principal("key", Role.SUPERUSER),
    ],
    ids=lambda p: p.name,
)
async def test_no_secret_is_in_any_answer(
    app: FastAPI, session: AsyncSession, settings: Settings, principal: Principal
) -> None:
    rows = await rows_of(session, principal.role or Role.MEMBER)
    await session.refresh(rows.user)
    async with client_as(principal, app, session, settings, rows.user) as client:
        canaries = await secrets_of(session, rows.user, settings)
        canaries = [canary for canary in canaries if canary]
        read = 0
        for path in readable(app, rows.live):
            response = await client.get(path)
            read += response.status_code == 200
            for canary in canaries:
                allowed = path == "/account/second-factor"  # shows the secret to scan
                assert allowed or canary not in response.text, (path, canary[:12])
    assert read > 8


def readable(app: FastAPI, ids: dict[str, int]) -> list[str]:
    """Every page, answer and export that can be read."""
    doors = [url_of(door, ids) for door in doors_of(app) if door.method == "GET"]
    admin = []
    for table in TABLES:
        row = ids.get(f"{re.sub('s$', '', table)}_id", 1)
        row = ids["key_id"] if table == "api_keys" else row
        admin += [f"/admin/{table}/{rest}" for rest in ("list", f"details/{row}", "export/csv")]
        admin += [f"/admin/{table}/edit/{row}"]
    return doors + admin


@pytest.mark.parametrize("credential", ["token", "key"])
async def test_internal_notes_are_for_the_back_office_only(
    app: FastAPI, session: AsyncSession, settings: Settings, credential: str
) -> None:
    user = await make_user(session, Role.SUPERUSER)
    actor = actor_for(user)
    agent = await make_agent(session, actor, internal_notes="canary-of-the-notes")
    await make_tool(session, actor)
    await make_execution(session, actor, agent)
    principal = Principal(credential, Role.SUPERUSER)
    async with client_as(principal, app, session, settings, user) as client:
        for door in doors_of(app):
            if door.is_api and door.method == "GET" and "/audit" not in door.path:
                response: httpx2.Response = await client.get(url_of(door, {"agent_id": agent.id}))
                assert "canary-of-the-notes" not in response.text, door.name
