"""People as superusers manage them on pages, and the links that let them choose a password."""

import re

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.permissions import Role
from app.models import AuditEvent, InstanceSettings, StaffSession, User, UserToken
from tests.conftest import client_of
from tests.factories.clients import SAME_ORIGIN, key_headers, log_in
from tests.factories.users import PASSWORD, give_second_factor, make_user

NEW_PASSWORD = "Better-Horse-8"
INVITE = {"email": "New.Person@example.com", "full_name": "New Person", "role": "staff"}
LINK = re.compile(r"http://localhost(/password/set\?token=[A-Za-z0-9_-]{43})")


@pytest.fixture
async def root(
    client: httpx2.AsyncClient, session: AsyncSession, settings: Settings, superuser: User
) -> httpx2.AsyncClient:
    """The browser of a superuser."""
    await log_in(client, session, settings, superuser)
    return client


async def invite(root: httpx2.AsyncClient, **values: str) -> str:
    """Invite someone; the path of their link."""
    response = await root.post("/users/invite", data=INVITE | values)
    assert response.status_code == 201, response.text
    assert response.headers["cache-control"] == "no-store"
    found = LINK.search(response.text)
    assert found is not None
    return found.group(1)


async def choose(client: httpx2.AsyncClient, path: str, password: str) -> httpx2.Response:
    client.headers.update(SAME_ORIGIN)
    token = path.partition("token=")[2]
    form = {"token": token, "password": password, "confirm_password": password}
    return await client.post("/password/set", data=form)


async def sign_in(client: httpx2.AsyncClient, email: str, password: str) -> int:
    client.headers.update(SAME_ORIGIN)
    form = {"email": email, "password": password}
    return (await client.post("/login", data=form)).status_code


async def test_invited_person_chooses_a_password_and_comes_in(
    app: FastAPI, root: httpx2.AsyncClient
) -> None:
    path = await invite(root)
    async with client_of(app) as person:
        assert "new.person@example.com" in (await person.get(path)).text
        assert (await choose(person, path, "weak")).status_code == 422
        done = await choose(person, path, NEW_PASSWORD)
        assert done.headers["location"] == "/login?done=password"
        assert await sign_in(person, INVITE["email"], NEW_PASSWORD) == 303
        assert (await person.get("/agents")).status_code == 200


async def test_link_works_once_and_only_the_newest(app: FastAPI, root: httpx2.AsyncClient) -> None:
    first = await invite(root)
    user_id = int(re.search(r"/users/(\d+)", (await root.get("/users?q=new.person")).text)[1])  # type: ignore[index]
    again = await root.post(f"/users/{user_id}/link")
    second = LINK.search(again.text)
    assert second is not None
    async with client_of(app) as person:
        assert (await person.get(first)).status_code == 404
        assert (await choose(person, second[1], NEW_PASSWORD)).status_code == 303
        assert (await choose(person, second[1], NEW_PASSWORD)).status_code == 404


@pytest.mark.parametrize("change", ["too old", "disabled", "trashed"])
async def test_link_of_someone_who_may_not_come_in_is_over(
    app: FastAPI, root: httpx2.AsyncClient, session: AsyncSession, change: str
) -> None:
    path = await invite(root)
    user = await session.scalar(select(User).where(User.email == "new.person@example.com"))
    assert user is not None
    if change == "too old":
        past = func.clock_timestamp() - text("interval '1 second'")
        await session.execute(update(UserToken).values(expires_at=past))
    else:
        response = await root.post(
            f"/users/{user.id}/{'disable' if change == 'disabled' else 'delete'}"
        )
        assert response.status_code == 303
    async with client_of(app) as person:
        assert (await choose(person, path, NEW_PASSWORD)).status_code == 404


async def test_link_is_stored_as_a_hash_only(
    root: httpx2.AsyncClient, session: AsyncSession
) -> None:
    token = (await invite(root)).partition("token=")[2]
    stored = await session.scalar(select(UserToken.token_sha256))
    assert stored is not None
    assert token.encode() not in stored
    events = str(list(await session.scalars(select(AuditEvent.changes))))
    assert token not in events


async def test_forgotten_password_is_reset_without_saying_who_exists(
    client: httpx2.AsyncClient,
    session: AsyncSession,
    staff: User,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await log_in(client, session, settings, staff)
    answers = [
        await client.post("/password/forgot", data={"email": email})
        for email in (staff.email.upper(), "nobody@example.com")
    ]
    assert answers[0].status_code == answers[1].status_code == 200
    strip = re.compile(r"nonce-\S+|[0-9a-f]{32}")
    assert strip.sub("", answers[0].text) == strip.sub("", answers[1].text)
    links = LINK.findall(caplog.text)
    assert len(set(links)) == 1
    assert (await choose(client, links[0], NEW_PASSWORD)).status_code == 303
    assert (await client.get("/agents")).status_code == 303, "the old session is over"
    assert await sign_in(client, staff.email, PASSWORD) == 401
    assert await sign_in(client, staff.email, NEW_PASSWORD) == 303


async def test_reset_does_not_skip_the_second_factor(
    app: FastAPI, root: httpx2.AsyncClient, session: AsyncSession, settings: Settings
) -> None:
    user = await make_user(session)
    await give_second_factor(session, user, settings)
    link = LINK.search((await root.post(f"/users/{user.id}/link")).text)
    assert link is not None
    async with client_of(app) as person:
        assert (await choose(person, link[1], NEW_PASSWORD)).status_code == 303
        assert await sign_in(person, user.email, NEW_PASSWORD) == 200, "asks for the code"
        assert (await person.get("/agents")).status_code == 303


@pytest.mark.parametrize("act", ["disable", "delete", "end-sessions"])
async def test_person_is_out_at_once(
    app: FastAPI, root: httpx2.AsyncClient, session: AsyncSession, settings: Settings, act: str
) -> None:
    user = await make_user(session)
    keys = await key_headers(session, user)
    async with client_of(app) as person, client_of(app, headers=keys) as machine:
        await log_in(person, session, settings, user)
        assert (await person.get("/agents")).status_code == 200
        assert (await root.post(f"/users/{user.id}/{act}")).status_code == 303
        assert (await person.get("/agents")).status_code == 303
        assert (await person.get("/api/v1/agents")).status_code == 401
        expected = 200 if act == "end-sessions" else 401
        assert (await machine.get("/api/v1/agents")).status_code == expected


async def test_change_of_role_ends_sessions_and_counts_at_once(
    app: FastAPI, root: httpx2.AsyncClient, session: AsyncSession, settings: Settings
) -> None:
    user = await make_user(session)
    form = {"email": user.email, "full_name": user.full_name, "role": "viewer", "row_version": "1"}
    async with client_of(app) as person:
        await log_in(person, session, settings, user)
        saved = await root.post(f"/users/{user.id}/edit", data=form | {"is_active": "true"})
        assert saved.status_code == 303
        assert (await person.get("/agents")).status_code == 303
        await log_in(person, session, settings, user)
        assert (await person.get("/agents/new")).status_code == 403


async def test_enabling_again_does_not_revive_old_sessions(
    app: FastAPI, root: httpx2.AsyncClient, session: AsyncSession, settings: Settings
) -> None:
    user = await make_user(session)
    async with client_of(app) as person:
        await log_in(person, session, settings, user)
        await root.post(f"/users/{user.id}/disable")
        await root.post(f"/users/{user.id}/enable")
        assert (await person.get("/agents")).status_code == 303


@pytest.mark.parametrize("act", ["disable", "delete"])
async def test_superuser_cannot_lock_themselves_out(
    root: httpx2.AsyncClient, superuser: User, act: str
) -> None:
    assert (await root.post(f"/users/{superuser.id}/{act}")).status_code == 403
    assert (await root.get("/users")).status_code == 200


async def test_second_factor_of_a_lost_phone_is_removed_by_a_superuser(
    app: FastAPI, root: httpx2.AsyncClient, session: AsyncSession, settings: Settings
) -> None:
    user = await make_user(session)
    await give_second_factor(session, user, settings)
    assert (await root.post(f"/users/{user.id}/remove-second-factor")).status_code == 303
    assert (await root.post(f"/users/{user.id}/remove-second-factor")).status_code == 409
    async with client_of(app) as person:
        assert await sign_in(person, user.email, PASSWORD) == 303


async def test_requirement_of_a_second_factor_is_switched_and_on_record(
    root: httpx2.AsyncClient, session: AsyncSession
) -> None:
    form = {"row_version": "1", "required": "true"}
    assert (await root.post("/users/require-second-factor", data=form)).status_code == 303
    assert await session.scalar(select(InstanceSettings.require_second_factor))
    stale = await root.post("/users/require-second-factor", data=form)
    assert stale.status_code == 303, "the superuser has to set one up first"
    event = await session.scalar(select(AuditEvent).order_by(AuditEvent.id.desc()))
    assert event is not None
    assert event.changes["require_second_factor"] == [False, True]


async def test_person_comes_back_from_the_trash(
    root: httpx2.AsyncClient, session: AsyncSession
) -> None:
    user = await make_user(session)
    await root.post(f"/users/{user.id}/delete")
    assert (await root.get(f"/users/{user.id}")).status_code == 404
    assert (await root.post(f"/users/{user.id}/restore")).status_code == 303
    assert (await root.get(f"/users/{user.id}")).status_code == 200


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"full_name": ""}, "full_name"),
        ({"role": "owner"}, "role"),
        ({"email": "taken@example.com"}, "email"),
        ({"full_name": "a\x00b"}, "full_name"),
    ],
)
async def test_refused_invitation_says_what_is_wrong_where(
    root: httpx2.AsyncClient, session: AsyncSession, values: dict[str, str], field: str
) -> None:
    await make_user(session, email="taken@example.com")
    response = await root.post("/users/invite", data=INVITE | values)
    assert response.status_code == 422
    assert f'id="f-{field}-e"' in response.text


@pytest.mark.parametrize("role", [Role.VIEWER, Role.STAFF])
async def test_only_superusers_see_people(
    client: httpx2.AsyncClient, session: AsyncSession, settings: Settings, role: Role
) -> None:
    user = await make_user(session, role)
    await log_in(client, session, settings, user)
    for path in ("/users", f"/users/{user.id}", "/users/invite", "/api/v1/users"):
        assert (await client.get(path)).status_code == 403, path
    assert 'href="/users"' not in (await client.get("/")).text
    assert (await client.get("/trash?resource=users")).status_code == 403


async def test_managing_people_asks_for_the_password_after_a_while(
    root: httpx2.AsyncClient, session: AsyncSession
) -> None:
    user = await make_user(session)
    past = func.clock_timestamp() - text("interval '31 minutes'")
    await session.execute(update(StaffSession).values(reauthenticated_at=past))
    assert (await root.get("/users")).status_code == 200
    for path in ("/users/invite", f"/users/{user.id}/edit"):
        assert "Confirm that it is you" in (await root.get(path)).text
    refused = await root.patch(f"/api/v1/users/{user.id}", json={"full_name": "x"})
    assert refused.json()["error"]["code"] == "REAUTHENTICATION_REQUIRED"
    admin = await root.get(f"/admin/users/edit/{user.id}")
    assert admin.status_code == 403
    assert "Confirm that it is you" in admin.text
    await session.refresh(user)
    assert user.full_name != "x"
