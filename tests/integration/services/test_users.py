"""Users and the rules of their passwords, as services keep them."""

from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor, Via
from app.core.config import Settings
from app.core.permissions import Role
from app.core.security import verify_password
from app.exceptions import Conflict, Forbidden
from app.models import TokenPurpose, User, UserToken
from app.schemas.problems import field_problems
from app.schemas.users import UserCreate, UserQuery, UserUpdate
from app.services.user_tokens import UserTokenService
from app.services.users import UserService
from tests.conftest import actor_for
from tests.factories.users import make_user

GOOD = {"email": "New.Person@Example.com", "full_name": "New Person", "password": "Better-Horse-8"}


@pytest.fixture
def users(session: AsyncSession, superuser: User) -> UserService:
    return UserService(session, actor_for(superuser))


async def test_new_user_may_log_in_with_a_normalised_address(users: UserService) -> None:
    user = await users.create(UserCreate.model_validate(GOOD))
    assert user.email == "new.person@example.com"
    assert user.role is Role.MEMBER
    assert user.hashed_password is not None
    assert user.hashed_password.startswith("$argon2id$")
    assert (await verify_password("Better-Horse-8", user.hashed_password))[0]


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("Short-1", "8 to 128 characters"),
        ("A1" + "x" * 127, "8 to 128 characters"),
        ("lower-case-only-1", "upper-case letter"),
        ("No-Digits-At-All", "a digit"),
        ("Password1", "common passwords"),
        ("Passw0rd", "common passwords"),
        ("Nul-Horse-7\x00", "NUL"),
    ],
)
def test_password_outside_the_rules_is_named_by_its_rule_only(password: str, rule: str) -> None:
    with pytest.raises(ValidationError) as refused:
        UserCreate.model_validate(GOOD | {"password": password})
    problems = field_problems(refused.value.errors())
    assert rule in problems[0]["message"]
    assert password not in str(problems)
    assert password not in repr(refused.value.errors(include_input=False, include_url=False))


@pytest.mark.parametrize("password", ["Äußerst-8", "Ünïcode-Pass1", "A1" + "x" * 126, "ABCDEFG1!x"])
def test_password_within_the_rules_is_accepted_and_not_shown(password: str) -> None:
    data = UserCreate.model_validate(GOOD | {"password": password})
    assert password not in repr(data)
    assert password not in data.model_dump_json()


@pytest.mark.parametrize(
    "change",
    [
        {"confirm_password": "Other-Horse-9"},
        {"email": "nobody"},
        {"email": "a@" + "b" * 250 + ".com"},
        {"full_name": ""},
        {"role": "owner"},
        {"hashed_password": "x"},
        {"is_superuser": True},
    ],
)
def test_user_outside_the_rules_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        UserCreate.model_validate(GOOD | change)


async def test_address_belongs_to_one_live_user(users: UserService) -> None:
    first = await users.create(UserCreate.model_validate(GOOD))
    again = UserCreate.model_validate(GOOD | {"email": "NEW.PERSON@example.com"})
    with pytest.raises(Conflict, match=r"new\.person@example\.com"):
        async with users.session.begin_nested():
            await users.create(again)
    await users.delete(first.id)
    assert (await users.create(again)).id != first.id


@pytest.mark.parametrize("role", [Role.MEMBER, Role.VIEWER, Role.STAFF])
async def test_only_superusers_manage_users(session: AsyncSession, role: Role) -> None:
    users = UserService(session, actor_for(await make_user(session, role)))
    with pytest.raises(Forbidden):
        await users.create(UserCreate.model_validate(GOOD))
    with pytest.raises(Forbidden):
        await users.list_page(UserQuery())
    with pytest.raises(Forbidden):
        await users.delete(1)


@pytest.mark.parametrize("change", [{"role": Role.STAFF}, {"is_active": False}])
async def test_superusers_do_not_lock_themselves_out(
    users: UserService, superuser: User, change: dict[str, Any]
) -> None:
    with pytest.raises(Forbidden):
        await users.update(superuser.id, UserUpdate(**change))
    with pytest.raises(Forbidden):
        await users.delete(superuser.id)


@pytest.mark.parametrize("change", [{"role": Role.STAFF}, {"is_active": False}])
async def test_last_superuser_stays(
    session: AsyncSession, superuser: User, change: dict[str, Any]
) -> None:
    users, user_id = UserService(session, Actor.system(Via.CLI)), superuser.id
    with pytest.raises(Conflict, match="last superuser"):
        async with session.begin_nested():
            await users.update(user_id, UserUpdate(**change))
    with pytest.raises(Conflict, match="last superuser"):
        async with session.begin_nested():
            await users.delete(user_id)


async def test_one_of_two_superusers_may_go(users: UserService, session: AsyncSession) -> None:
    other = await make_user(session, Role.SUPERUSER)
    await users.update(other.id, UserUpdate(role=Role.STAFF))
    await users.delete(other.id)
    assert await users.find(other.id) is None


@pytest.mark.parametrize("words", ["find.me@example.com", " Find.Me ", "find", "ada love", "ADA"])
async def test_user_is_found_by_words_of_name_and_address(
    users: UserService, session: AsyncSession, words: str
) -> None:
    user = await make_user(session, email="find.me@example.com")
    user.full_name = "Ada Lovelace"
    await session.flush()
    found = await users.list_page(UserQuery(q=words))
    assert [row.id for row in found.items] == [user.id]


async def test_forgotten_password_leaves_an_invitation_as_it_is(
    session: AsyncSession, settings: Settings, superuser: User
) -> None:
    invited = await make_user(session)
    invited.hashed_password = None
    await session.flush()
    tokens = UserTokenService(session, actor_for(superuser), settings)
    await tokens.issue(invited, TokenPurpose.INVITATION)
    assert await tokens.person_to_reset(invited.email) is None
    kept = (await session.scalars(select(UserToken))).one()
    assert kept.purpose is TokenPurpose.INVITATION
