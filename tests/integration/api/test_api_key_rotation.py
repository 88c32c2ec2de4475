"""Rotation: one successor, an overlap that only ever shortens, both on record."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.database import Database
from app.core.permissions import Role
from app.exceptions import Conflict, Forbidden
from app.models import ApiKey, AuditEvent, User
from app.services.api_keys import ApiKeyService
from tests.conftest import actor_for
from tests.factories.agents import make_agent
from tests.factories.api_keys import make_api_key
from tests.factories.clients import log_in
from tests.factories.users import make_user
from tests.integration.envelope import assert_envelope

AGENTS, KEYS = "/api/v1/agents", "/api/v1/api-keys"


def by_header(token: str) -> dict[str, str]:
    return {"X-API-Key": token}


async def test_rotated_key_works_beside_its_successor_for_the_overlap(
    web: httpx2.AsyncClient, client: httpx2.AsyncClient
) -> None:
    body = {"name": "turning", "scopes": ["agents:read"], "allowed_cidrs": ["127.0.0.0/8"]}
    old = (await web.post(KEYS, json=body)).json()
    answer = await web.post(f"{KEYS}/{old['id']}/rotate", json={"overlap_hours": 1})
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    new = answer.json()
    assert new["key"] != old["key"]
    for field in ("name", "scopes", "allowed_cidrs", "agent_id", "user_id"):
        assert new[field] == old[field]
    for key in (old, new):
        assert (await client.get(AGENTS, headers=by_header(key["key"]))).status_code == 200
    seen = (await web.get(f"{KEYS}/{old['id']}")).json()
    assert seen["replaced_by_id"] == new["id"]
    left = datetime.fromisoformat(seen["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=58) < left <= timedelta(hours=1)


async def test_rotated_key_without_overlap_stops_at_once(
    web: httpx2.AsyncClient, client: httpx2.AsyncClient
) -> None:
    old = (await web.post(KEYS, json={"name": "x", "scopes": ["agents:read"]})).json()
    new = (await web.post(f"{KEYS}/{old['id']}/rotate", json={"overlap_hours": 0})).json()
    assert_envelope(await client.get(AGENTS, headers=by_header(old["key"])), 401)
    assert (await client.get(AGENTS, headers=by_header(new["key"]))).status_code == 200


async def test_overlap_is_a_day_unless_told_otherwise(web: httpx2.AsyncClient) -> None:
    forever = {"name": "x", "scopes": ["agents:read"], "expires_at": None}
    old = (await web.post(KEYS, json=forever)).json()
    new = (await web.post(f"{KEYS}/{old['id']}/rotate")).json()
    assert new["expires_at"] is None
    ends = datetime.fromisoformat((await web.get(f"{KEYS}/{old['id']}")).json()["expires_at"])
    assert timedelta(hours=23) < ends - datetime.now(UTC) <= timedelta(hours=24)


async def test_overlap_never_lengthens_a_key(
    web: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    key, _ = await make_api_key(session, staff)
    ends = datetime.now(UTC) + timedelta(hours=2)
    key.expires_at = ends
    await session.flush()
    await web.post(f"{KEYS}/{key.id}/rotate", json={"overlap_hours": 168})
    seen = (await web.get(f"{KEYS}/{key.id}")).json()
    assert datetime.fromisoformat(seen["expires_at"]) == ends


@pytest.mark.parametrize("hours", [-1, 169, 1.5, "soon", None])
async def test_overlap_outside_its_bounds_is_refused(
    web: httpx2.AsyncClient, session: AsyncSession, staff: User, hours: Any
) -> None:
    key, _ = await make_api_key(session, staff)
    refused = await web.post(f"{KEYS}/{key.id}/rotate", json={"overlap_hours": hours})
    assert_envelope(refused, 422, "VALIDATION_ERROR")
    by_page = await web.post(f"/keys/{key.id}/rotate", data={"overlap_hours": str(hours)})
    assert by_page.status_code == 422


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"revoked_at": datetime.now(UTC)}, "revoked"),
        ({"expires_at": datetime.now(UTC) - timedelta(seconds=1)}, "expired"),
        ({"replaced_by_id": 0}, "successor"),
    ],
    ids=["revoked", "expired", "replaced"],
)
async def test_key_that_is_over_or_replaced_is_not_rotated(
    web: httpx2.AsyncClient,
    session: AsyncSession,
    staff: User,
    values: dict[str, Any],
    says: str,
) -> None:
    key, _ = await make_api_key(session, staff)
    other, _ = await make_api_key(session, staff)
    for field, value in values.items():
        setattr(key, field, other.id if value == 0 else value)
    await session.flush()
    refused = await web.post(f"{KEYS}/{key.id}/rotate")
    assert says in assert_envelope(refused, 409, "CONFLICT")
    assert (await web.post(f"/keys/{key.id}/rotate")).status_code == 409


async def test_key_of_a_trashed_agent_is_not_rotated(
    web: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    agent = await make_agent(session, actor_for(staff))
    key, _ = await make_api_key(session, staff, agent=agent)
    agent.deleted_at = datetime.now(UTC)
    await session.flush()
    assert_envelope(await web.post(f"{KEYS}/{key.id}/rotate"), 409, "CONFLICT")


async def test_rotation_gives_no_rights_that_the_owner_lost(
    session: AsyncSession, staff: User
) -> None:
    """A viewer manages no keys at all, so only the service can be asked."""
    key, _ = await make_api_key(session, staff)
    staff.role = Role.VIEWER
    with pytest.raises(Forbidden, match="keys:write"):
        await ApiKeyService(session, actor_for(staff)).rotate(key.id, timedelta(hours=1))


async def test_rotation_never_gives_someone_elses_secret(
    client: httpx2.AsyncClient, session: AsyncSession, settings: Settings, superuser: User
) -> None:
    key, _ = await make_api_key(session, await make_user(session))
    await log_in(client, session, settings, superuser)
    assert_envelope(await client.post(f"{KEYS}/{key.id}/rotate"), 403, "FORBIDDEN")
    assert (await client.delete(f"{KEYS}/{key.id}")).status_code == 204


async def test_rotation_is_on_record_for_both_keys_without_a_secret(
    web: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    key, _ = await make_api_key(session, staff)
    new = (await web.post(f"{KEYS}/{key.id}/rotate")).json()
    events = await session.scalars(
        select(AuditEvent).where(AuditEvent.resource == "api_keys").order_by(AuditEvent.id)
    )
    created, rotated = list(events)[-2:]
    assert (created.action, created.resource_id) == ("create", new["id"])
    assert (rotated.action, rotated.resource_id) == ("rotate", key.id)
    assert rotated.changes["replaced_by_id"] == [None, new["id"]]
    assert new["key"] not in f"{created.changes}{rotated.changes}"
    assert created.changes["secret_sha256"] == [None, "changed"]


async def test_two_rotations_at_once_give_one_successor(own_database: Database) -> None:
    async with own_database.unit_of_work() as session:
        user = await make_user(session)
        key, _ = await make_api_key(session, user)

    async def rotate() -> int | None:
        try:
            async with own_database.unit_of_work() as session:
                fresh, _ = await ApiKeyService(session, actor_for(user)).rotate(
                    key.id, timedelta(hours=1)
                )
                return fresh.id
        except Conflict:
            return None

    made = [found for found in await asyncio.gather(*(rotate() for _ in range(6))) if found]
    async with own_database.unit_of_work() as session:
        stored = list(await session.scalars(select(ApiKey).order_by(ApiKey.id)))
    assert len(made) == 1
    assert [row.id for row in stored] == [key.id, made[0]]
    assert stored[0].replaced_by_id == made[0]
