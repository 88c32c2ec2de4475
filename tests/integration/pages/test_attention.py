"""What needs attention, on the dashboard: each kind of line, what makes none, and who sees it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import Permission, Role
from app.models import Agent, ApiKey, JobKind, JobStatus, User
from app.schemas.days import TimeRange
from app.services.attention import Attention, AttentionService
from app.services.time_windows import DAY, Window
from tests.conftest import QueryCounter
from tests.factories.agents import make_agent
from tests.factories.api_keys import make_api_key
from tests.factories.executions import make_execution
from tests.factories.jobs import make_job
from tests.factories.tool_calls import make_tool_call_hour
from tests.factories.tools import make_tool
from tests.factories.users import make_user
from tests.factories.webhook_endpoints import make_webhook_endpoint

FRAGMENT = {"HX-Request": "true", "HX-Request-Type": "partial"}
Lines = list[tuple[str, str]]


@pytest.fixture
async def agent(session: AsyncSession, actor: Actor) -> Agent:
    return await make_agent(session, actor, name="refund-triage")


async def make_runs(
    session: AsyncSession, actor: Actor, agent: Agent, *statuses: str, hours_ago: float = 1
) -> None:
    started_at = (datetime.now(UTC) - timedelta(hours=hours_ago)).isoformat()
    times: dict[str, Any] = {"started_at": started_at, "ended_at": None, "spans": []}
    for status in statuses:
        await make_execution(session, actor, agent, status=status, **times)


async def make_ending_key(
    session: AsyncSession, owner: User, name: str, days: float = 5.1, **values: Any
) -> ApiKey:
    key, _ = await make_api_key(session, owner)
    key.name, key.expires_at = name, datetime.now(UTC) + timedelta(days=days)
    for column, value in values.items():
        setattr(key, column, value)
    await session.flush()  # read by the page
    return key


async def lines(web: httpx2.AsyncClient, path: str = "/", **headers: str) -> Lines:
    """Each line in words, and where it leads."""
    answer = await web.get(path, headers=headers)
    assert answer.status_code == 200
    page = LexborHTMLParser(answer.text)
    found = []
    for row in page.css(".attention tbody tr"):
        [link] = row.css("a")
        found.append((" ".join(row.text(separator=" ").split()), link.attributes["href"] or ""))
    calm = "Nothing needs attention." in answer.text
    assert calm is not bool(found)
    return found


async def test_quiet_installation_says_so_in_one_line(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent
) -> None:
    assert await lines(web) == [], "nothing has run yet"
    await make_runs(session, actor, agent, "succeeded")
    assert await lines(web) == []
    assert await lines(web, "/?range=all") == []


async def test_agent_that_fails_often_leads_to_its_failed_runs(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent
) -> None:
    await make_runs(session, actor, agent, "failed", "failed", *["succeeded"] * 4)
    [(said, href)] = await lines(web)
    assert said == "Failed refund-triage 33.3 % of 6 runs failed"
    runs = LexborHTMLParser((await web.get(href)).text)
    assert len(runs.css("#results tbody tr")) == 2
    assert await lines(web, "/", **FRAGMENT) != [], "it is refreshed with the figures"


async def test_agent_of_few_runs_or_few_failures_is_left_alone(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent
) -> None:
    await make_runs(session, actor, agent, *["failed"] * 4)
    other = await make_agent(session, actor)
    await make_runs(session, actor, other, "failed", *["succeeded"] * 4)
    assert await lines(web) == []


async def test_worst_agents_come_first_and_are_few(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    for failed in (2, 5, 3, 4):
        each = await make_agent(session, actor, name=f"fails-{failed}")
        await make_runs(session, actor, each, *["failed"] * failed, *["succeeded"] * (5 - failed))
    named = [said.split()[1] for said, _ in await lines(web)]
    assert named == ["fails-5", "fails-4", "fails-3"]


async def test_stalled_runs_of_the_chosen_time_are_one_line(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent
) -> None:
    await make_runs(session, actor, agent, "stalled", "stalled", hours_ago=3)
    await make_runs(session, actor, agent, "running")
    [(said, href)] = await lines(web)
    assert said == "Stalled 2 runs stalled the newest of refund-triage, 3 h ago"
    runs = LexborHTMLParser((await web.get(href)).text)
    assert len(runs.css("#results tbody tr")) == 2
    assert await lines(web, "/?range=1h") == []


async def test_tool_whose_calls_break_its_schema_leads_to_them(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent
) -> None:
    weather = await make_tool(session, actor, name="weather")
    await make_tool_call_hour(session, agent, weather, checked=40, broken=3)
    [(said, href)] = await lines(web)
    assert said == "Schema weather 3 of 40 calls: 'city' is a required property"
    assert href == f"/tools/{weather.id}?days=1#calls"
    assert (await web.get(href)).status_code == 200
    assert (await lines(web, "/?range=30d"))[0][1] == f"/tools/{weather.id}?days=7#calls"


async def test_tool_that_is_rarely_called_wrongly_or_gone_is_left_alone(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent
) -> None:
    rarely, gone = await make_tool(session, actor), await make_tool(session, actor)
    await make_tool_call_hour(session, agent, rarely, checked=500, broken=1)
    await make_tool_call_hour(session, agent, gone, checked=2, broken=2)
    gone.deleted_at = datetime.now(UTC)
    await session.flush()  # read by the page
    assert await lines(web) == []


async def test_keys_that_end_within_a_week_are_named_to_who_may_see_them(
    web: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    other = await make_user(session)
    own = await make_ending_key(session, staff, "ci-deploy")
    others = await make_ending_key(session, other, "prod-asia", days=1.1)
    assert await lines(web) == [
        ("Expires soon ci-deploy API key, expires in 5 days", f"/keys/{own.id}")
    ]
    staff.role = Role.SUPERUSER
    await session.flush()  # read by the page
    [first, _] = await lines(web)
    whose = f"Expires soon prod-asia API key of {other.full_name}, expires in 1 day"
    assert first == (whose, f"/keys/{others.id}"), "the first to end comes first"


async def test_keys_that_need_nothing_are_left_alone(
    web: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    now = datetime.now(UTC)
    successor = await make_ending_key(session, staff, "in good time", days=8)
    await make_ending_key(session, staff, "replaced", replaced_by_id=successor.id)
    await make_ending_key(session, staff, "paused", paused_at=now)
    await make_ending_key(session, staff, "revoked", revoked_at=now)
    await make_ending_key(session, staff, "over", days=-1)
    assert await lines(web) == []


async def test_endpoints_that_take_nothing_are_named(
    web: httpx2.AsyncClient, session: AsyncSession
) -> None:
    now = datetime.now(UTC)
    hooks = [(await make_webhook_endpoint(session)).endpoint for _ in range(4)]
    _, failing, ended, by_hand = hooks
    failing.failing_since, failing.description = now - timedelta(hours=3), "On duty"
    ended.is_active, ended.disabled_reason = False, "It answered 410 Gone."
    by_hand.is_active = False
    await session.flush()  # read by the page
    assert await lines(web) == [
        ("Failing On duty took no message for 3 h", f"/webhooks/{failing.id}"),
        (f"Disabled {ended.url} It answered 410 Gone.", f"/webhooks/{ended.id}"),
    ]


async def test_failed_jobs_are_one_line_without_those_of_webhooks(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    failed, before = JobStatus.FAILED, datetime.now(UTC) - 2 * DAY
    await make_job(session, actor, JobKind.DELIVER_WEBHOOK, status=failed)
    await make_job(session, actor, created_at=before, status=failed)
    assert await lines(web) == []
    await make_job(session, actor, JobKind.SEND_MAIL, status=failed)
    [(said, href)] = await lines(web)
    assert said == "Failed 1 job failed the newest: Send mail, just now"
    assert href == "/jobs?status=failed&range=24h"
    assert (await lines(web, "/?range=7d"))[0][0].startswith("Failed 2 jobs failed")
    jobs = LexborHTMLParser((await web.get(href)).text)
    assert len(jobs.css("#results tbody tr")) == 1


async def test_one_agent_has_what_is_about_it_alone(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent, staff: User
) -> None:
    other = await make_agent(session, actor)
    tool = await make_tool(session, actor)
    await make_runs(session, actor, other, "stalled")
    await make_tool_call_hour(session, other, tool, checked=4, broken=2)
    await make_job(session, actor, agent_id=other.id, status=JobStatus.FAILED)
    await make_ending_key(session, staff, "of the other", agent_id=other.id)
    (await make_webhook_endpoint(session)).endpoint.failing_since = datetime.now(UTC)
    await session.flush()  # read by the page
    of_other = [said.split()[0] for said, _ in await lines(web, f"/?agent_id={other.id}")]
    assert of_other == ["Stalled", "Schema", "Failed", "Expires"]
    assert await lines(web, f"/?agent_id={agent.id}") == []
    await make_runs(session, actor, agent, *["failed"] * 5)
    [(said, _)] = await lines(web, f"/?agent_id={agent.id}")
    assert said == "Failed This agent 100.0 % of 5 runs failed"


@pytest.mark.parametrize(
    ("missing", "unseen"),
    [
        (Permission.EXECUTIONS_READ, {"stalled", "broken"}),
        (Permission.TOOLS_READ, {"broken"}),
        (Permission.WEBHOOKS_READ, {"endpoints"}),
        (Permission.JOBS_READ, {"failed_jobs"}),
        (Permission.KEYS_READ, {"keys"}),
    ],
)
async def test_what_may_not_be_read_is_neither_shown_nor_asked_for(
    session: AsyncSession,
    actor: Actor,
    agent: Agent,
    staff: User,
    counted: QueryCounter,
    missing: Permission,
    unseen: set[str],
) -> None:
    tool = await make_tool(session, actor)
    await make_runs(session, actor, agent, "stalled")
    await make_tool_call_hour(session, agent, tool, checked=4, broken=2)
    await make_job(session, actor, status=JobStatus.FAILED)
    await make_ending_key(session, staff, "ci-deploy")
    (await make_webhook_endpoint(session)).endpoint.failing_since = datetime.now(UTC)
    await session.flush()  # read by the service
    now = datetime.now(UTC)
    window = Window(now - DAY, now)
    reader = replace(actor, permissions=frozenset({*READS} - {missing}))
    found = await AttentionService(session, reader).look(window)
    assert {name for name in KINDS if not getattr(found, name)} == unseen
    nobody = replace(actor, permissions=frozenset({Permission.BACK_OFFICE}))
    with counted:
        nothing = await AttentionService(session, nobody).look(window)
    assert nothing == Attention(TimeRange.DAY, None, [], [], None, [])
    assert counted.count == 0


KINDS = ("stalled", "broken", "endpoints", "failed_jobs", "keys")
READS = (
    Permission.EXECUTIONS_READ,
    Permission.TOOLS_READ,
    Permission.WEBHOOKS_READ,
    Permission.JOBS_READ,
    Permission.KEYS_READ,
)
