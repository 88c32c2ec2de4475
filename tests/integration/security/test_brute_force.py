"""Guessing is slowed down for each account, address and device; owners get in (A1, A7, A20)."""

from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import security
from app.core.config import Settings
from app.core.database import Database
from app.main import create_app
from app.models import AttemptKind, LoginAttempt, User
from app.services.login_attempts import EVERYONE, LIMITS, LoginAttemptService
from tests.conftest import client_of, settings_for
from tests.factories.clients import SAME_ORIGIN
from tests.factories.users import PASSWORD, make_user

PER_ACCOUNT = LIMITS[AttemptKind.PASSWORD]["account"][0].count
PER_ADDRESS = LIMITS[AttemptKind.PASSWORD]["address"][0].count


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits are looked at here; the cost of a hash has its own test."""
    quick = security.PASSWORDS.copy(argon2__memory_cost=8, argon2__time_cost=1)
    monkeypatch.setattr(security, "PASSWORDS", quick)


def from_address(app: FastAPI, address: str) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=app, client=(address, 1))
    return httpx2.AsyncClient(transport=transport, base_url="http://localhost", headers=SAME_ORIGIN)


async def guess(app: FastAPI, email: str, address: str, password: str = "wrong") -> int:
    async with from_address(app, address) as client:
        form = {"email": email, "password": password}
        return (await client.post("/login", data=form)).status_code


async def test_one_account_is_guessed_from_many_addresses_in_vain(
    app: FastAPI, staff: User
) -> None:
    answers = [await guess(app, staff.email, f"192.0.2.{n}") for n in range(PER_ACCOUNT + 20)]
    assert answers == [401] * PER_ACCOUNT + [429] * 20
    assert await guess(app, staff.email.upper(), "198.51.100.1", PASSWORD) == 429


async def test_many_accounts_are_guessed_from_one_address_in_vain(app: FastAPI) -> None:
    answers = [
        await guess(app, f"user{n}@example.com", "192.0.2.1") for n in range(PER_ADDRESS + 20)
    ]
    assert answers == [401] * PER_ADDRESS + [429] * 20
    assert await guess(app, "other@example.com", "192.0.2.2") == 401


async def test_everyone_together_is_bounded_too(
    app: FastAPI, session: AsyncSession, settings: Settings
) -> None:
    limit = LIMITS[AttemptKind.PASSWORD][EVERYONE][0].count
    hashed = LoginAttemptService(session, settings)._hashed(EVERYONE, EVERYONE)
    rows = [{"kind": AttemptKind.PASSWORD, "subject": hashed} for _ in range(limit)]
    await session.execute(LoginAttempt.__table__.insert(), rows)  # type: ignore[attr-defined]
    assert await guess(app, "anyone@example.com", "192.0.2.77") == 429


async def test_owner_gets_in_from_a_device_that_was_there_before(app: FastAPI, staff: User) -> None:
    form = {"email": staff.email, "password": PASSWORD}
    async with from_address(app, "203.0.113.5") as owner:
        assert (await owner.post("/login", data=form)).status_code == 303
        for n in range(PER_ACCOUNT + 5):
            await guess(app, staff.email, f"192.0.2.{n}")
            await guess(app, f"u{n}@example.com", "203.0.113.5")
        assert await guess(app, staff.email, "198.51.100.1", PASSWORD) == 429
        assert (await owner.post("/login", data=form)).status_code == 303
        # The cookie helps this account only, and not without end.
        other = {"email": "other@example.com", "password": "wrong"}
        assert (await owner.post("/login", data=other)).status_code == 429
        wrong = form | {"password": "wrong"}
        answers = [(await owner.post("/login", data=wrong)).status_code for _ in range(12)]
        assert answers[-1] == 429


async def test_right_passwords_do_not_count(app: FastAPI, staff: User) -> None:
    answers = [await guess(app, staff.email, "192.0.2.1", PASSWORD) for _ in range(PER_ACCOUNT + 5)]
    assert set(answers) == {303}


@pytest.mark.parametrize(("age", "status"), [("4 minutes", 429), ("301 seconds", 401)])
async def test_waiting_opens_the_door_again(
    app: FastAPI, session: AsyncSession, staff: User, age: str, status: int
) -> None:
    for _ in range(PER_ACCOUNT):
        await guess(app, staff.email, "192.0.2.1")
    past = func.clock_timestamp() - text(f"interval '{age}'")
    await session.execute(update(LoginAttempt).values(at=past))
    assert await guess(app, staff.email, "192.0.2.1") == status


async def test_resets_are_bounded_per_account(app: FastAPI, staff: User) -> None:
    answers = []
    for n in range(7):
        async with from_address(app, f"192.0.2.{n}") as client:
            response = await client.post("/password/forgot", data={"email": staff.email})
            answers.append(response.status_code)
    assert answers == [200] * 5 + [429] * 2


@pytest.fixture
async def restarted(own_database: Database) -> list[FastAPI]:
    """The product before and after a restart, over one database."""
    url = own_database.engine.url.render_as_string(hide_password=False)
    return [create_app(settings_for(url), own_database) for _ in range(2)]


async def test_count_survives_a_restart(own_database: Database, restarted: list[FastAPI]) -> None:
    async with own_database.unit_of_work() as session:
        user = await make_user(session)
    before, after = restarted
    for n in range(PER_ACCOUNT):
        assert await guess(before, user.email, f"192.0.2.{n}") == 401
    assert await guess(after, user.email, "198.51.100.1", PASSWORD) == 429


async def test_tries_are_stored_without_saying_whose(
    app: FastAPI, session: AsyncSession, staff: User
) -> None:
    await guess(app, staff.email, "192.0.2.1")
    stored = list(await session.scalars(select(LoginAttempt.subject)))
    assert len(stored) == 3
    plain = {security.sha256(f"{scope}:{v}") for scope, v in (("account", staff.email),)}
    assert not plain & set(stored), "a keyed hash, not a plain one"


async def test_old_tries_are_removed(app: FastAPI, session: AsyncSession) -> None:
    await guess(app, "a@example.com", "192.0.2.1")
    past = func.clock_timestamp() - text("interval '25 hours'")
    await session.execute(update(LoginAttempt).values(at=past))
    await guess(app, "b@example.com", "192.0.2.2")
    assert await session.scalar(select(func.count()).select_from(LoginAttempt)) == 3


@pytest.mark.parametrize("state", ["unknown", "wrong", "disabled", "invited"])
async def test_every_refused_login_costs_one_hash(
    app: FastAPI, session: AsyncSession, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """A7 without a stopwatch: what takes the time is done as often, whoever is asked for."""
    user = await make_user(session, active=state != "disabled")
    if state == "invited":
        user.hashed_password = None
        await session.flush()
    verified: list[Any] = []
    verify = security._verify

    def counting(*given: Any) -> Any:  # as the original
        verified.append(given)
        return verify(*given)

    monkeypatch.setattr(security, "_verify", counting)
    email = "nobody@example.com" if state == "unknown" else user.email
    password = "wrong" if state == "wrong" else PASSWORD
    assert await guess(app, email, "192.0.2.1", password) == 401
    assert len(verified) == 1
    assert verified[0][1].startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_session_planted_before_the_login_is_worth_nothing_after(
    app: FastAPI, staff: User
) -> None:
    """A1: fixation. The cookie after the login is another, and the planted one opens nothing."""
    planted = {"greenroom": "planted", "greenroom-device": "planted"}
    async with client_of(app, headers=SAME_ORIGIN, cookies=planted) as client:
        form = {"email": staff.email, "password": PASSWORD}
        response = await client.post("/login", data=form)
        assert response.status_code == 303
        assert "greenroom=planted" not in str(response.headers.get_list("set-cookie"))
    async with client_of(app, cookies=planted) as intruder:
        assert (await intruder.get("/agents")).status_code == 303
