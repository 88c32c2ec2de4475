"""Logins of the JSON API under requests that run at the same moment, on a database that commits."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx2
import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor, Via
from app.core.config import Settings
from app.core.database import Database
from app.core.permissions import Role
from app.exceptions import Unauthorized
from app.main import create_app
from app.models import RefreshToken, User
from app.schemas.users import PasswordChange, UserUpdate
from app.services.credentials import end_credentials
from app.services.logins import LoginService
from app.services.refresh_tokens import RefreshTokenService, TokenPair
from app.services.users import UserService
from tests.conftest import actor_for, client_of, settings_for
from tests.factories.users import PASSWORD, make_user
from tests.integration.api.logins import AUTH, NEW_PASSWORD, PASSWORDS, bearer, refresh, sign_in

NOBODY = Actor.system(Via.API)
MOMENT_S = 0.3


class Login:
    """Someone's login, refreshed once: its first token was used some time ago."""

    def __init__(self, database: Database) -> None:
        self.database = database
        url = database.engine.url.render_as_string(hide_password=False)
        self.settings: Settings = settings_for(url)

    def tokens(self, session: AsyncSession) -> RefreshTokenService:
        return RefreshTokenService(session, NOBODY, self.settings)

    async def begin(self) -> None:
        async with self.database.unit_of_work() as session:
            await make_user(session, Role.SUPERUSER)
            self.user = await make_user(session, Role.MEMBER)
            self.first = await self.tokens(session).open(self.user, None)
        second = await self.refreshed(self.first)
        assert second is not None
        self.second = second
        async with self.database.unit_of_work() as session:
            past = func.clock_timestamp() - text("interval '11 seconds'")
            used = RefreshToken.used_at.is_not(None)
            await session.execute(update(RefreshToken).where(used).values(used_at=past))

    async def refreshed(self, pair: TokenPair) -> TokenPair | None:
        async with self.database.unit_of_work() as session:
            return await self.tokens(session).rotate(pair.refresh_token, None)

    async def is_over(self, pair: TokenPair) -> bool:
        async with self.database.unit_of_work() as session:
            tokens = self.tokens(session)
            actor = await tokens.recognise(pair.access_token)
            return actor is None and await tokens.rotate(pair.refresh_token, None) is None


@pytest.fixture
async def login(own_database: Database) -> Login:
    login = Login(own_database)
    await login.begin()
    return login


async def log_out(login: Login, session: AsyncSession) -> None:
    await login.tokens(session).log_out(login.second.refresh_token, None)


async def use_again(login: Login, session: AsyncSession) -> None:
    assert await login.tokens(session).rotate(login.first.refresh_token, None) is None


async def change_password(login: Login, session: AsyncSession) -> None:
    users = UserService(session, actor_for(login.user))
    await users.change_own_password(PasswordChange.model_validate(PASSWORDS))


async def change_role(login: Login, session: AsyncSession) -> None:
    users = UserService(session, Actor.system(Via.CLI))
    await users.update(login.user.id, UserUpdate(role=Role.VIEWER))


Ending = Callable[[Login, AsyncSession], Awaitable[None]]
ENDINGS = [log_out, use_again, change_password, change_role]


@pytest.mark.parametrize("ending", ENDINGS)
async def test_refresh_that_runs_beside_the_end_does_not_outlive_it(
    login: Login, ending: Ending
) -> None:
    async def end() -> None:
        async with login.database.unit_of_work() as session:
            await ending(login, session)

    async with login.database.unit_of_work() as session:
        third = await login.tokens(session).rotate(login.second.refresh_token, None)
        ended = asyncio.create_task(end())
        await asyncio.sleep(MOMENT_S)
    await ended
    assert third is not None
    assert await login.is_over(third)


@pytest.mark.parametrize("ending", ENDINGS)
async def test_refresh_that_waits_for_the_end_is_refused(login: Login, ending: Ending) -> None:
    async with login.database.unit_of_work() as session:
        await ending(login, session)
        refreshing = asyncio.create_task(login.refreshed(login.second))
        await asyncio.sleep(MOMENT_S)
    assert await refreshing is None
    assert await login.is_over(login.second)


async def test_refresh_and_the_end_of_all_logins_never_block_each_other_for_good(
    login: Login,
) -> None:
    async with login.database.unit_of_work() as session:
        await session.get(User, login.user.id, with_for_update=True)
        refreshing = asyncio.create_task(login.refreshed(login.second))
        await asyncio.sleep(MOMENT_S)
        await end_credentials(session, login.user.id)
    assert await refreshing is None


async def test_password_that_is_changed_during_a_login_no_longer_opens(login: Login) -> None:
    async def enter() -> None:
        async with login.database.unit_of_work() as session:
            logins = LoginService(session, NOBODY, login.settings)
            user = await logins.authenticate(login.user.email, PASSWORD, None)
            await logins.succeed(user, [])

    async with login.database.unit_of_work() as session:
        await change_password(login, session)
        entering = asyncio.create_task(enter())
        await asyncio.sleep(MOMENT_S)
    with pytest.raises(Unauthorized):
        await entering


@pytest.fixture
async def busy(own_database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of an app whose requests run at the same time, on connections of their own."""
    url = own_database.engine.url.render_as_string(hide_password=False)
    async with client_of(create_app(settings_for(url), own_database)) as client:
        yield client


async def test_twenty_refreshes_at_once_are_one_lineage(
    own_database: Database, busy: httpx2.AsyncClient
) -> None:
    async with own_database.unit_of_work() as session:
        user = await make_user(session, Role.MEMBER)
    first = await sign_in(busy, user)
    answers = await asyncio.gather(*(refresh(busy, first) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    async with own_database.unit_of_work() as session:
        assert await session.scalar(select(func.count()).select_from(RefreshToken)) == 2


async def test_twenty_guesses_at_once_do_not_pass_the_limit(
    own_database: Database, busy: httpx2.AsyncClient
) -> None:
    async with own_database.unit_of_work() as session:
        user = await make_user(session, Role.MEMBER)
    body = {"email": user.email, "password": "wrong"}
    tries = (busy.post(f"{AUTH}/login", json=body) for _ in range(20))
    statuses = [answer.status_code for answer in await asyncio.gather(*tries)]
    assert sorted(statuses) == [401] * 10 + [429] * 10


async def test_wrong_current_password_is_refused_and_counted(
    own_database: Database, busy: httpx2.AsyncClient
) -> None:
    async with own_database.unit_of_work() as session:
        user = await make_user(session, Role.MEMBER)
    headers = bearer(await sign_in(busy, user))
    body = {"current_password": "x", "password": NEW_PASSWORD, "confirm_password": NEW_PASSWORD}
    path = f"{AUTH}/password/change"
    answers = [(await busy.post(path, json=body, headers=headers)).status_code for _ in range(11)]
    assert answers == [422] * 10 + [429]
    await sign_in(busy, user)  # guessing inside a session locks nobody out
