"""Every principal at every door, with their own, someone else's and no row (A5, G-A1)."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.config import Settings
from app.core.permissions import SEES_ALL_ROWS, Permission, Role
from app.models import Agent, User
from app.schemas.agents import AgentUpdate
from app.schemas.feedback import FeedbackCreate
from app.services.agents import AgentService
from app.services.feedback import FeedbackService
from tests.conftest import actor_for
from tests.factories.agents import make_agent
from tests.factories.analyses import make_analysis
from tests.factories.api_keys import make_api_key
from tests.factories.bulk_changes import make_bulk_change
from tests.factories.executions import make_execution
from tests.factories.imports import make_import
from tests.factories.ingest_batches import make_ingest_batch
from tests.factories.model_prices import make_model_price
from tests.factories.saved_views import make_saved_view
from tests.factories.tools import make_tool
from tests.factories.users import make_session_token, make_user
from tests.factories.webhook_endpoints import make_webhook_delivery, make_webhook_endpoint
from tests.integration.doors import Door, doors_of
from tests.integration.security.principals import PRINCIPALS, Principal, client_as
from tests.integration.test_policy import OWN, PUBLIC, needed

MISSING = 987_654_321
PARAMETER = re.compile(r"{(\w+)}")
KINDS = (
    "agent_id",
    "tool_id",
    "execution_id",
    "feedback_id",
    "job_id",
    "change_id",
    "key_id",
    "user_id",
    "session_id",
    "webhook_id",
    "delivery_id",
    "price_id",
    "view_id",
    "batch_id",
    "import_id",
    "row_id",
)
FIXED = {"number": "1", "name": "no-such-agent", "resource": "agents", "form": "csv"}
# These answer 401 or 303 to those who are let in, too.
TALKS_BACK = {"POST /logout", "POST /reauthenticate"}
# Only the owner of a key may have its secret made anew, whoever manages keys.
OWNERS_ONLY = ("/rotate",)
Ids = dict[str, int]


@dataclass(slots=True)
class Rows:
    """One row of each kind that belongs to ``user``, live and in the trash."""

    user: User
    agent: Agent
    live: Ids
    trashed: Ids

    def ids(self, door: Door) -> Ids:
        restores = door.path.endswith("/restore") and "{number}" not in door.path
        return self.trashed if restores else self.live


async def rows_of(session: AsyncSession, role: Role) -> Rows:
    user = await make_user(session, role)
    maker = actor_for(await make_user(session, Role.MEMBER)) if role is Role.VIEWER else None
    actor = maker or actor_for(user)
    agent = await make_agent(session, actor)
    await AgentService(session, actor).update(agent.id, AgentUpdate(system_prompt="Second."))
    run = await make_execution(session, actor, agent)
    rating = FeedbackCreate(name="rating", value=Decimal(1))
    live = {
        "agent_id": agent.id,
        "tool_id": (await make_tool(session, actor)).id,
        "execution_id": run.id,
        "feedback_id": (await FeedbackService(session, actor).give(run, rating)).id,
        "job_id": (await make_analysis(session, actor, agent)).id,
        "change_id": (await make_bulk_change(session, actor, ids=[agent.id])).id,
        "key_id": (await make_api_key(session, user))[0].id,
        "user_id": user.id,
        "batch_id": (await make_ingest_batch(session, actor)).id,
        "import_id": await import_of(session, actor_for(user)),
        "session_id": await session_of(session, user),
    }
    root = actor_for(await make_user(session, Role.SUPERUSER))
    live |= await of_superusers(session, root, f"m-{user.id}")
    # Members enter no page, but what they own is to be hidden from the others, too.
    keeper = replace(actor_for(user), permissions=frozenset(Permission))
    live["view_id"] = (await make_saved_view(session, keeper)).id
    other = await make_user(session)
    trashed = {
        "view_id": (await make_saved_view(session, keeper)).id,
        "agent_id": (await make_agent(session, actor)).id,
        "tool_id": (await make_tool(session, actor)).id,
        "execution_id": (await make_execution(session, actor, agent)).id,
        "user_id": other.id,
        "webhook_id": (await make_webhook_endpoint(session, events=["job.failed"])).endpoint.id,
        "price_id": (await make_model_price(session, root, model=f"t-{user.id}")).id,
    }
    trashed["row_id"] = trashed["agent_id"]
    await put_in_trash(session, trashed)
    return Rows(user, agent, live, trashed)


async def of_superusers(session: AsyncSession, root: Actor, model: str) -> Ids:
    """Rows that nobody but superusers makes."""
    hook = (await make_webhook_endpoint(session, events=["job.failed"])).endpoint
    return {
        "webhook_id": hook.id,
        "delivery_id": (await make_webhook_delivery(session, root, hook)).id,
        "price_id": (await make_model_price(session, root, model=model)).id,
    }


async def import_of(session: AsyncSession, actor: Actor) -> int:
    """One's own, of who may have any."""
    may_write = Permission.AGENTS_WRITE in actor.permissions
    return (await make_import(session, actor)).id if may_write else MISSING


async def put_in_trash(session: AsyncSession, ids: Ids) -> None:
    for kind, table in (
        ("agent_id", "agents"),
        ("tool_id", "tools"),
        ("execution_id", "executions"),
        ("user_id", "users"),
        ("webhook_id", "webhook_endpoints"),
        ("price_id", "model_prices"),
        ("view_id", "saved_views"),
    ):
        sql = text(f"UPDATE {table} SET deleted_at = now() WHERE id = :id")
        await session.execute(sql, {"id": ids[kind]})
    session.expire_all()  # the rows in the trash were changed past the session


async def session_of(session: AsyncSession, user: User) -> int:
    await make_session_token(session, user)
    newest = text("SELECT max(id) FROM staff_sessions")
    return int((await session.execute(newest)).scalar_one())


def url_of(door: Door, ids: Ids) -> str:
    return PARAMETER.sub(lambda m: FIXED.get(m[1]) or str(ids.get(m[1], MISSING)), door.path)


def has_row(door: Door) -> bool:
    return any(name in KINDS for name in PARAMETER.findall(door.path))


async def ask(client: httpx2.AsyncClient, session: AsyncSession, door: Door, ids: Ids) -> "Answer":
    """Status and error of a request whose effects are undone."""
    undone = await session.begin_nested()
    await session.execute(text("SELECT 1"))  # the savepoint is made by the first statement
    sends: dict[str, Any] = {}
    if door.writes:
        sends = {"json": {}} if door.is_api else {"data": {}}
    response = await client.request(door.method, url_of(door, ids), **sends)
    await undone.rollback()
    is_error = door.is_api and response.status_code >= 400
    if not is_error:
        return response.status_code, None
    body = response.json()
    return response.status_code, body if "code" in body else body["error"]


def door_of(name: str, app: FastAPI) -> Door:
    return next(door for door in doors_of(app) if door.name == name)


def sees_foreign(principal: Principal, door: Door) -> bool:
    """Whether someone else's row is theirs to know about."""
    if "{key_id}" in door.path:
        return Permission.KEYS_MANAGE in principal.permissions
    if "{price_id}" in door.path:
        return True  # costs are computed with them for everyone
    if "{view_id}" in door.path:
        return principal.role is Role.SUPERUSER
    if "{import_id}" in door.path:
        return False  # a file that waits for its own person's word
    if "{session_id}" in door.path:
        return Permission.SESSIONS_MANAGE in principal.permissions
    return principal.role in SEES_ALL_ROWS and principal.credential != "limited"


Answer = tuple[int, Any]  # status, and the error of the API
Expected = Callable[[Door, Answer, Answer], bool]  # door, answer, answer for a missing row


def is_not_let_in(door: Door, answer: Answer, _: Answer) -> bool:
    return answer[0] == (401 if door.is_api else 303)


def is_refused(_: Door, answer: Answer, __: Answer) -> bool:
    return answer[0] == 403


def is_as_missing(_: Door, answer: Answer, missing: Answer) -> bool:
    return answer == missing and answer[0] in {400, 403, 404, 405, 422}


def is_answered(_: Door, answer: Answer, __: Answer) -> bool:
    return answer[0] < 500 and answer[0] not in {401, 403, 404}


def is_no_failure(_: Door, answer: Answer, __: Answer) -> bool:
    return answer[0] < 500 and answer[0] != 401


async def cells(
    principal: Principal, app: FastAPI, session: AsyncSession, settings: Settings
) -> tuple[int, list[str]]:
    """How many cells there are, and those that are not as the policy says."""
    own = await rows_of(session, principal.role or Role.MEMBER)
    foreign = await rows_of(session, Role.MEMBER)
    await session.refresh(own.user)
    await session.refresh(own.agent)
    wrong: list[str] = []
    count = 0
    async with client_as(principal, app, session, settings, own.user, own.agent) as client:
        for door in doors_of(app):
            if door.name in PUBLIC | TALKS_BACK:
                continue
            missing = await ask(client, session, door, {})
            answers = {"missing": missing}
            if has_row(door):
                answers["own"] = await ask(client, session, door, own.ids(door))
                answers["foreign"] = await ask(client, session, door, foreign.ids(door))
            for kind, answer in answers.items():
                count += 1
                expected = expectation(principal, door, kind)
                if not expected(door, answer, missing):
                    wrong.append(f"{door.name} {kind}: {expected.__name__}, not {answer}")
    return count, wrong


def expectation(principal: Principal, door: Door, kind: str) -> Expected:
    if not principal.enters(api=door.is_api):
        return is_not_let_in
    if door.name not in OWN and not needed(door) <= principal.permissions:
        return is_refused
    if kind == "foreign" and not sees_foreign(principal, door):
        return is_as_missing
    if kind == "foreign" and "{feedback_id}" in door.path:
        return is_refused  # only who gave it may change it
    return is_no_failure if may_be_refused(principal, door, kind) else is_answered


def may_be_refused(principal: Principal, door: Door, kind: str) -> bool:
    """Where rules of the row itself decide, which have tests of their own."""
    is_own_account = principal.role is Role.SUPERUSER and "{user_id}" in door.path
    return (
        principal.credential == "limited"
        or kind == "missing"
        or not door.permissions
        or (kind == "own" and is_own_account)
        or (kind == "foreign" and door.path.endswith(OWNERS_ONLY))
    )


@pytest.mark.parametrize("principal", PRINCIPALS, ids=lambda p: p.name)
async def test_every_cell_of_the_matrix_is_as_the_policy_says(
    app: FastAPI, session: AsyncSession, settings: Settings, principal: Principal
) -> None:
    count, wrong = await cells(principal, app, session, settings)
    assert not wrong
    assert count > 100
