"""What pages fetch of themselves when an event says that they are out of date."""

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Agent, Presence, User
from app.schemas.agents import AgentUpdate
from app.services.agents import AgentService
from tests.conftest import QueryCounter, actor_for
from tests.factories.agents import make_agent
from tests.factories.executions import make_execution

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture
async def agent(session: AsyncSession, staff: User) -> Agent:
    return await make_agent(session, actor_for(staff))


async def test_notice_names_who_saved_since_the_page_was_drawn(
    web: httpx2.AsyncClient, session: AsyncSession, agent: Agent, superuser: User
) -> None:
    notice = f"/agents/{agent.id}/notice?version={agent.row_version}"
    assert (await web.get(notice)).text.strip() == ""
    agents = AgentService(session, actor_for(superuser))
    await agents.update(agent.id, AgentUpdate(system_prompt="Second."))
    text = (await web.get(notice)).text
    assert superuser.full_name in text
    assert "revision 2 is live" in text
    await agents.delete(agent.id)
    assert "moved this agent to the trash" in (await web.get(notice)).text


async def test_presence_names_others_and_not_oneself(
    web: httpx2.AsyncClient, session: AsyncSession, agent: Agent, staff: User, viewer: User
) -> None:
    for number, user in enumerate((staff, viewer)):
        session.add(
            Presence(
                socket_id=str(number),
                room=f"presence:agent:{agent.id}",
                user_id=user.id,
                process_id="7c9e6679-7425-40de-944b-e07fc1f90ae7",
            )
        )
    await session.flush()
    text = (await web.get(f"/agents/{agent.id}/presence")).text
    assert f"Also here: {viewer.full_name}" in text
    assert staff.full_name not in text


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/agents/{agent}/recent-runs", "Where is my bag?"),
        ("/latest-runs", "Succeeded"),
        ("/latest-changes", "created"),
        ("/agents", 'data-live-room="agents executions/10"'),
        ("/executions/{run}", "Where is my bag?"),
        ("/executions/new-count?after=0", "1 new: show"),
    ],
)
async def test_fragment_is_a_part_of_its_page(
    web: httpx2.AsyncClient,
    session: AsyncSession,
    agent: Agent,
    staff: User,
    path: str,
    part: str,
) -> None:
    run = await make_execution(session, actor_for(staff), agent)
    response = await web.get(path.format(agent=agent.id, run=run.id), headers=HTMX)
    assert response.status_code == 200
    assert part in response.text
    assert "<html" not in response.text


async def test_page_of_a_run_is_live_only_while_it_is_open(
    web: httpx2.AsyncClient, session: AsyncSession, agent: Agent, staff: User
) -> None:
    actor = actor_for(staff)
    is_open = await make_execution(session, actor, agent, status="running", ended_at=None)
    is_over = await make_execution(session, actor, agent)
    live = f'data-live-room="execution:{is_open.id}"'
    assert live in (await web.get(f"/executions/{is_open.id}")).text
    assert "data-live-room" not in (await web.get(f"/executions/{is_over.id}")).text


async def test_latest_runs_cost_no_query_per_row(
    web: httpx2.AsyncClient,
    session: AsyncSession,
    agent: Agent,
    staff: User,
    counted: QueryCounter,
) -> None:
    for _ in range(4):
        await make_execution(session, actor_for(staff), agent)
    with counted:
        await web.get("/latest-runs", headers=HTMX)
    # The session of the person, that it was seen, and the runs.
    assert counted.count <= 3
