"""People, keys and jobs are changed many at once, and nobody loses more than they should."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.config import Settings
from app.core.permissions import Role
from app.models import ApiKey, BulkChangeRow, Job, JobStatus, StaffSession, User
from app.models.api_keys import KeyState
from app.schemas.api_keys import ApiKeyQuery
from app.services.api_keys import ApiKeyService
from tests.conftest import actor_for
from tests.factories.api_keys import make_api_key
from tests.factories.clients import log_in
from tests.factories.jobs import make_job
from tests.factories.users import PASSWORD, make_session_token, make_user
from tests.jobs import work_off

OLD = datetime.now(UTC) - timedelta(hours=3)


@pytest.fixture
async def root(
    client: httpx2.AsyncClient, session: AsyncSession, settings: Settings, superuser: User
) -> httpx2.AsyncClient:
    """The browser of a superuser."""
    await log_in(client, session, settings, superuser)
    return client


async def tried(root: httpx2.AsyncClient, resource: str, action: str, **form: Any) -> str:
    """The page of the dry run."""
    answer = await root.post("/bulk-changes", data={"resource": resource, "action": action} | form)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def done(root: httpx2.AsyncClient, app: FastAPI, page: str, **form: str) -> str:
    """Start it, and what its page says when it is done."""
    resource = (await root.get(page)).text.partition('name="resource" value="')[2].partition('"')[0]
    started = await root.post(f"{page}/start", data={"resource": resource} | form)
    assert started.status_code == 303, started.text
    await work_off(app)
    return (await root.get(page)).text


async def undone(root: httpx2.AsyncClient, app: FastAPI, page: str, resource: str) -> str:
    undo = await root.post(f"{page}/undo", data={"resource": resource})
    return await done(root, app, undo.headers["location"])


async def reasons(session: AsyncSession) -> dict[int, str | None]:
    """By row, of the newest bulk change."""
    newest = select(func.max(BulkChangeRow.bulk_change_id)).scalar_subquery()
    statement = select(BulkChangeRow.row_id, BulkChangeRow.reason)
    rows = await session.execute(statement.where(BulkChangeRow.bulk_change_id == newest))
    return {row[0]: row[1] for row in rows}


async def test_people_are_disabled_and_enabled_again_but_never_oneself(
    root: httpx2.AsyncClient, app: FastAPI, session: AsyncSession, superuser: User
) -> None:
    people = [await make_user(session) for _ in range(3)]
    ids = [str(user.id) for user in (*people, superuser)]
    page = await tried(root, "users", "disable", ids=ids)
    shown = (await root.get(page)).text
    assert "Disable 3 people?" in shown
    assert "enabled <i" in shown
    assert "cannot change your own role" in str((await reasons(session))[superuser.id])
    assert "3 changed" in await done(root, app, page)
    active = select(User.is_active).where(User.id.in_([user.id for user in people]))
    assert set(await session.scalars(active)) == {False}
    assert "3 changed" in await undone(root, app, page, "users")
    assert set(await session.scalars(active)) == {True}


async def test_roles_are_changed_and_given_back(
    root: httpx2.AsyncClient, app: FastAPI, session: AsyncSession
) -> None:
    user = await make_user(session, Role.VIEWER)
    token = await make_session_token(session, user)
    form = {"resource": "users", "action": "set_role", "ids": str(user.id)}
    assert "Superuser" in (await root.post("/bulk-changes", data=form)).text
    assert (await root.post("/bulk-changes", data=form | {"value": "king"})).status_code == 422
    page = await tried(root, "users", "set_role", ids=str(user.id), value="staff")
    await done(root, app, page)
    role = select(User.role).where(User.id == user.id)
    assert await session.scalar(role) is Role.STAFF
    ended = select(StaffSession.revoked_at).where(StaffSession.user_id == user.id)
    assert await session.scalar(ended) is not None, "the login that the old role gave"
    assert token
    await undone(root, app, page, "users")
    assert await session.scalar(role) is Role.VIEWER


async def test_sessions_end_of_who_has_any(
    root: httpx2.AsyncClient, app: FastAPI, session: AsyncSession, superuser: User
) -> None:
    inside, outside = await make_user(session), await make_user(session)
    await make_session_token(session, inside)
    ids = [str(each.id) for each in (inside, outside, superuser)]
    page = await tried(root, "users", "end_sessions", ids=ids)
    found = await reasons(session)
    assert found[outside.id] == "They are not logged in."
    assert found[superuser.id] == "Your own sessions end under Account."
    text = await done(root, app, page)
    assert "1 changed" in text
    assert "/undo" not in text
    ended = select(StaffSession.revoked_at).where(StaffSession.user_id == inside.id)
    assert await session.scalar(ended) is not None
    assert (await root.post(f"{page}/undo", data={"resource": "users"})).status_code == 409


async def test_change_of_people_asks_who_is_there(
    root: httpx2.AsyncClient, session: AsyncSession
) -> None:
    user = await make_user(session)
    await session.execute(update(StaffSession).values(created_at=OLD, reauthenticated_at=OLD))
    form = {"resource": "users", "action": "disable", "ids": str(user.id)}
    asked = await root.post("/bulk-changes", data=form)
    assert asked.status_code == 403
    assert 'name="reauthentication_password"' in asked.text
    api = await root.post("/api/v1/bulk-changes", json=form | {"ids": [user.id]})
    assert api.json()["error"]["code"] == "REAUTHENTICATION_REQUIRED"
    given = await root.post("/bulk-changes", data=form | {"reauthentication_password": PASSWORD})
    assert given.headers["location"].startswith("/bulk-changes/")


async def test_who_is_demoted_before_the_job_changes_nobody(
    root: httpx2.AsyncClient, app: FastAPI, session: AsyncSession, superuser: User
) -> None:
    user = await make_user(session)
    await make_user(session, Role.SUPERUSER)
    page = await tried(root, "users", "disable", ids=str(user.id))
    await root.post(f"{page}/start", data={"resource": "users"})
    await session.execute(update(User).where(User.id == superuser.id).values(role=Role.MEMBER))
    await work_off(app)
    assert await session.scalar(select(User.is_active).where(User.id == user.id))
    assert "permission users:manage" in str((await reasons(session))[user.id])
    [job] = await session.scalars(select(Job).where(Job.kind == "bulk_change"))
    assert job.status is JobStatus.SUCCEEDED


async def test_keys_are_revoked_once_that_is_said_in_a_word(
    root: httpx2.AsyncClient, app: FastAPI, session: AsyncSession, staff: User
) -> None:
    ids = [str((await make_api_key(session, staff))[0].id) for _ in range(2)]
    page = await tried(root, "api_keys", "revoke", ids=ids)
    assert "cannot be undone" in (await root.get(page)).text
    for said in ("", "revok"):
        refused = await root.post(f"{page}/start", data={"confirm": said, "note": "Leaked."})
        assert refused.status_code == 422
        assert "Leaked." in refused.text, "what was typed is not lost"
    assert "2 changed" in await done(root, app, page, confirm="revoke")
    again = await tried(root, "api_keys", "revoke", ids=ids)
    assert "There is nothing to change" in (await root.get(again)).text
    assert set((await reasons(session)).values()) == {"This key is revoked already."}


async def test_last_day_of_keys_is_changed_and_put_back(
    root: httpx2.AsyncClient, app: FastAPI, session: AsyncSession, superuser: User
) -> None:
    superuser.time_zone = "Asia/Tokyo"
    key, _ = await make_api_key(session, superuser)
    page = await tried(root, "api_keys", "set_expiry", ids=str(key.id), value="2031-03-31")
    assert "1 Apr 2031, 00:00" in (await root.get(page)).text
    await done(root, app, page)
    expiry = select(ApiKey.expires_at).where(ApiKey.id == key.id)
    assert await session.scalar(expiry) == datetime(2031, 3, 31, 15, tzinfo=UTC)
    await undone(root, app, page, "api_keys")
    assert await session.scalar(expiry) is None
    past = await tried(root, "api_keys", "set_expiry", ids=str(key.id), value="2020-01-01")
    assert "There is nothing to change" in (await root.get(past)).text


@pytest.mark.parametrize("state", KeyState)
async def test_keys_are_found_by_what_they_are_good_for(
    session: AsyncSession, superuser: User, state: KeyState
) -> None:
    now = datetime.now(UTC)
    values: dict[KeyState, dict[str, Any]] = {
        KeyState.ACTIVE: {},
        KeyState.PAUSED: {"paused_at": now},
        KeyState.EXPIRING: {"expires_at": now + timedelta(days=2)},
        KeyState.REPLACED: {"replaced_by_id": (await make_api_key(session, superuser))[0].id},
        KeyState.EXPIRED: {"expires_at": now - timedelta(days=2), "paused_at": now},
        KeyState.REVOKED: {"revoked_at": now, "expires_at": now - timedelta(days=2)},
    }
    for columns in values.values():
        key, _ = await make_api_key(session, superuser)
        for name, value in columns.items():
            setattr(key, name, value)
    await session.flush()
    keys = ApiKeyService(session, actor_for(superuser))
    found = (await keys.list_slice(ApiKeyQuery(state=state), None, 50)).items
    assert {key.state(now) for key in found} == {state}
    assert len(found) == (2 if state is KeyState.ACTIVE else 1)


async def test_jobs_that_failed_are_tried_again_and_open_ones_are_cancelled(
    root: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    dead = await make_job(session, actor, status=JobStatus.FAILED, attempts=3, error="No.")
    waiting = await make_job(session, actor)
    ids = [str(dead.id), str(waiting.id)]
    page = await tried(root, "jobs", "retry", ids=ids)
    assert "Try 1 job again?" in (await root.get(page)).text
    assert "Only failed and cancelled" in str((await reasons(session))[waiting.id])
    page = await tried(root, "jobs", "cancel", rows="matching", filter='{"status":"queued"}')
    assert "Cancel 1 job?" in (await root.get(page)).text


async def test_bulk_changes_are_listed_for_who_may_read_their_rows(
    root: httpx2.AsyncClient, session: AsyncSession, settings: Settings, viewer: User
) -> None:
    user = await make_user(session)
    await tried(root, "users", "disable", ids=str(user.id))
    path = "/api/v1/bulk-changes"
    [mine] = (await root.get(path, params={"resource": "users"})).json()["items"]
    assert (mine["status"], mine["rows"]["pending"]) == ("dry_run", 1)
    assert (await root.get(path, params={"resource": "jobs"})).json()["items"] == []
    await log_in(root, session, settings, viewer)
    assert (await root.get(path)).json()["items"] == []
    assert (await root.get(f"{path}/{mine['id']}")).status_code == 404
