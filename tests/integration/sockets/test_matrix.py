"""Every principal at every kind of room, with their own, someone else's and no row (A5, A12).

Made from the rooms that there are: a new one is in here, and is decided by its service's rules.
"""

from dataclasses import dataclass

import pytest

from app.core.permissions import SEES_ALL_ROWS, Permission, Role
from app.models import Agent, JobKind, User
from app.services.jobs import JobService
from app.services.rooms import LISTS, PRESENCE, ROWS, SEEN_ON, SPOKEN
from tests.conftest import actor_for
from tests.factories.agents import make_agent
from tests.factories.executions import make_execution
from tests.factories.ingest_batches import make_ingest_batch
from tests.factories.tools import make_tool
from tests.factories.users import make_user
from tests.integration.security.principals import PRINCIPALS, Principal
from tests.integration.sockets.conftest import Headers, Site
from tests.sockets import Refusal, dial

MISSING = 987_654_321
# Rows that a key of one agent does not see, whoever owns them.
OF_NO_AGENT = {"tool", "batch"}
ROW_KINDS = [*ROWS, *(f"{PRESENCE}{noun}" for noun in SEEN_ON)]


@dataclass(frozen=True, slots=True)
class Rows:
    """A row for each kind of room, of one person; an agent and what belongs to it."""

    user: User
    agent: Agent
    ids: dict[str, int]


async def rows_of(site: Site, role: Role) -> Rows:
    async with site.database.unit_of_work() as session:
        user = await make_user(session, role)
        maker = await make_user(session, Role.STAFF) if role is Role.VIEWER else user
        actor = actor_for(maker)
        agent = await make_agent(session, actor)
        job = await JobService(session, actor).enqueue(JobKind.ANALYZE_AGENT, {}, agent_id=agent.id)
        ids = {
            "agent": agent.id,
            "tool": (await make_tool(session, actor)).id,
            "execution": (await make_execution(session, actor, agent)).id,
            "job": job.id,
            "batch": (await make_ingest_batch(session, actor)).id,
        }
    return Rows(user, agent, ids | {f"{PRESENCE}agent": agent.id})


async def headers_of(site: Site, principal: Principal, rows: Rows) -> Headers:
    match principal.credential:
        case "none":
            return {}
        case "limited":
            return await site.key(rows.user, agent=rows.agent)
        case "cookie":
            return await site.cookie(rows.user)
        case "key":
            return await site.key(rows.user)
        case _:
            return await site.token(rows.user)


def expected(principal: Principal, room: str, whose: str) -> int:
    """The status of the handshake: 101 lets in."""
    if not principal.enters(api=True):
        return 401
    noun = room.removeprefix(PRESENCE)
    service = LISTS[room] if room in LISTS else ROWS[noun]
    needed = {Permission.BACK_OFFICE} if room.startswith(PRESENCE) else {service.readable}
    if not needed <= principal.permissions:
        return 403
    sees_all = principal.role in SEES_ALL_ROWS and principal.credential != "limited"
    if room in LISTS:
        return 101 if sees_all else 404
    is_theirs = whose == "own" and (principal.credential != "limited" or noun not in OF_NO_AGENT)
    return 101 if is_theirs or (whose == "foreign" and sees_all) else 404


@pytest.mark.parametrize("principal", PRINCIPALS, ids=lambda p: p.name)
async def test_every_room_opens_to_whom_the_policy_says(site: Site, principal: Principal) -> None:
    own = await rows_of(site, principal.role or Role.MEMBER)
    foreign = await rows_of(site, Role.MEMBER)
    headers = await headers_of(site, principal, own)
    rooms = [(name, "every", name) for name in LISTS]
    for kind in ROW_KINDS:
        rooms += [(f"{kind}:{own.ids[kind]}", "own", kind)]
        rooms += [(f"{kind}:{foreign.ids[kind]}", "foreign", kind)]
        rooms += [(f"{kind}:{MISSING}", "missing", kind)]
    wrong, refusals = [], {}
    for name, whose, kind in rooms:
        answer = await dial(site.one, name, headers)
        if isinstance(answer, Refusal):
            status = answer.status
            refusals[kind, whose] = answer.body["error"]
        else:
            status = 101
            await answer.connection.close()
        if status != expected(principal, kind, whose):
            wrong.append(f"{name} ({whose}): {status}")
    assert not wrong
    for kind in ROW_KINDS:
        if (kind, "foreign") in refusals:
            assert refusals[kind, "foreign"] == refusals[kind, "missing"], kind


def test_rooms_are_those_that_are_announced() -> None:
    announced = {service for service in LISTS.values() if service.is_live}
    assert announced == set(LISTS.values()) == set(ROWS.values())
    assert set(ROWS) >= SPOKEN | SEEN_ON
