"""Who may come through which door: made from the mounted routes and the declared permissions."""

from collections.abc import AsyncIterator, Callable, Iterator

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.deps import ServiceOf, get_actor
from app.core.config import Settings
from app.core.permissions import KEY_SCOPES, ROLE_PERMISSIONS, Permission, Role
from app.pages.deps import get_staff
from tests.conftest import client_of
from tests.factories.clients import SAME_ORIGIN, key_headers, log_in
from tests.factories.users import make_user
from tests.integration.doors import Door, doors_of

PUBLIC = {
    "GET /health",
    "GET /health/live",
    "GET /health/ready",
    "GET /docs",
    "GET /login",
    "POST /login",
    "POST /login/code",
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/token/refresh",
    "POST /api/v1/auth/logout",
    "POST /api/v1/auth/password/forgot",
    "POST /api/v1/auth/password/reset",
    "GET /password/forgot",
    "POST /password/forgot",
    "GET /password/set",
    "POST /password/set",
}
# One's own account: whoever is logged in, whatever the role.
OWN = {
    "GET /api/v1/auth/me",
    "POST /api/v1/auth/password/change",
    "POST /logout",
    "GET /account",
    "POST /account/password",
    "POST /account/language",
    "POST /account/time-zone",
    "POST /account/sessions/{session_id}/end",
    "GET /account/second-factor",
    "POST /account/second-factor/begin",
    "POST /account/second-factor/confirm",
    "POST /account/second-factor/codes",
    "POST /account/second-factor/remove",
    "POST /reauthenticate",
}
# Asked for by the service, because it depends on the kind of row.
BEYOND = {"POST /trash/{resource}/{row_id}/restore": Permission.AGENTS_DELETE}
VALUES = {"{resource}": "agents", "{name}": "no-such-agent"}
LOGGED_IN = (Role.VIEWER, Role.STAFF, Role.SUPERUSER)
MISSING_ID = "987654321"
# Dependencies that find the session and the actor in the request.
TAKES_WHO_ASKS = {
    "service.<locals>.provide",
    "get_live_configs",
    "get_runs",
}


def url_of(door: Door) -> str:
    path = door.path
    for name, value in VALUES.items():
        path = path.replace(name, value)
    return "/".join(MISSING_ID if part.startswith("{") else part for part in path.split("/"))


async def ask(client: httpx2.AsyncClient, door: Door) -> httpx2.Response:
    send_json, send_form = door.writes and door.is_api, door.writes and not door.is_api
    response = await client.request(
        door.method,
        url_of(door),
        json={} if send_json else None,
        data={} if send_form else None,
    )
    assert response.status_code < 500, (door.name, response.status_code)
    return response


def guarded(app: FastAPI) -> list[Door]:
    return [door for door in doors_of(app) if door.name not in PUBLIC | OWN]


def needed(door: Door) -> set[Permission]:
    extra = {BEYOND[door.name]} if door.name in BEYOND else set()
    return set(door.permissions) | extra


async def test_every_route_declares_its_permission_or_is_listed_as_open(app: FastAPI) -> None:
    names = {door.name for door in doors_of(app)}
    undeclared = {d.name for d in doors_of(app) if not d.permissions} - PUBLIC - OWN
    assert not undeclared
    assert not (PUBLIC | OWN | set(BEYOND)) - names, "listed, but no longer mounted"
    assert not {d.name for d in doors_of(app) if d.permissions} & (PUBLIC | OWN)


def in_order(dependant: Dependant) -> Iterator[Callable[..., object] | None]:
    """What is called before the route, in that order."""
    for dependency in dependant.dependencies:
        yield from in_order(dependency)
        yield dependency.call


async def test_routes_know_who_asks_before_they_take_a_service(app: FastAPI) -> None:
    taken = 0
    for route in iter_route_contexts(app.routes):
        dependant = getattr(route, "dependant", None)
        if dependant is None:
            continue
        calls = list(in_order(dependant))
        for place, call in enumerate(calls):
            name = getattr(call, "__qualname__", "")
            if isinstance(call, ServiceOf) or name in TAKES_WHO_ASKS:
                taken += 1
                assert {get_actor, get_staff} & set(calls[:place]), route.path
    assert taken > 30


async def test_writing_routes_declare_a_permission_that_viewers_lack(app: FastAPI) -> None:
    """Their own views of lists aside, which change what nobody else has."""
    for door in guarded(app):
        if door.writes and Permission.VIEWS_WRITE not in needed(door):
            assert needed(door) - ROLE_PERMISSIONS[Role.VIEWER], door.name


@pytest.fixture
async def stranger(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(app, headers=SAME_ORIGIN) as client:
        yield client


async def test_anonymous_is_sent_to_the_login_or_asked_for_a_key(
    app: FastAPI, stranger: httpx2.AsyncClient
) -> None:
    for door in doors_of(app):
        if door.name in PUBLIC:
            continue
        response = await ask(stranger, door)
        if door.is_api:
            assert response.status_code == 401, door.name
            continue
        assert response.status_code == 303, door.name
        assert response.headers["location"].startswith("/login"), door.name


@pytest.mark.parametrize("role", LOGGED_IN)
async def test_role_may_do_exactly_what_the_policy_says(
    app: FastAPI,
    stranger: httpx2.AsyncClient,
    session: AsyncSession,
    settings: Settings,
    role: Role,
) -> None:
    await log_in(stranger, session, settings, await make_user(session, role))
    for door in guarded(app):
        response = await ask(stranger, door)
        allowed = needed(door) <= ROLE_PERMISSIONS[role]
        assert (response.status_code == 403) is not allowed, door.name
        assert response.status_code != 401, door.name


@pytest.mark.parametrize("role", list(Role))
async def test_key_may_do_exactly_what_its_owner_and_its_scopes_allow(
    app: FastAPI, stranger: httpx2.AsyncClient, session: AsyncSession, role: Role
) -> None:
    stranger.headers.update(await key_headers(session, await make_user(session, role)))
    may = ROLE_PERMISSIONS[role] & set(KEY_SCOPES)
    for door in guarded(app):
        if door.is_api:
            response = await ask(stranger, door)
            assert (response.status_code == 403) is not (needed(door) <= may), door.name


async def test_key_without_scopes_may_do_nothing(
    app: FastAPI, stranger: httpx2.AsyncClient, session: AsyncSession
) -> None:
    user = await make_user(session, Role.SUPERUSER)
    stranger.headers.update(await key_headers(session, user, ()))
    for door in guarded(app):
        expected = 403 if door.is_api else 303
        assert (await ask(stranger, door)).status_code == expected, door.name


async def test_pages_never_accept_a_key(
    app: FastAPI, stranger: httpx2.AsyncClient, session: AsyncSession
) -> None:
    user = await make_user(session, Role.SUPERUSER)
    stranger.headers.update(await key_headers(session, user))
    for door in doors_of(app):
        if door.name not in PUBLIC and not door.is_api:
            assert (await ask(stranger, door)).status_code == 303, door.name


async def test_session_of_a_member_opens_nothing(
    app: FastAPI, stranger: httpx2.AsyncClient, session: AsyncSession, settings: Settings
) -> None:
    await log_in(stranger, session, settings, await make_user(session, Role.MEMBER))
    for door in guarded(app):
        expected = 401 if door.is_api else 303
        assert (await ask(stranger, door)).status_code == expected, door.name
