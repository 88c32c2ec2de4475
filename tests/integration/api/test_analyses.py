"""Analyses over JSON: asked for as jobs, read as typed reports."""

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import Permission
from app.models import JobStatus, User
from app.schemas.analyses import AnalysisReport
from tests.conftest import actor_for, client_of
from tests.factories.agents import make_agent
from tests.factories.analyses import full_report, make_analysis
from tests.factories.clients import key_headers
from tests.factories.jobs import make_job

API = "/api/v1"
ASKED = {"since": "2026-11-01T00:00:00Z", "revision": 1, "limit": 50}


async def test_asking_is_answered_with_a_job_and_where_it_is(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    response = await api.post(f"{API}/agents/{agent.id}/analyze", json=ASKED)
    assert response.status_code == 202, response.text
    job = (await api.get(response.headers["Location"])).json()
    assert (job["kind"], job["status"], job["agent_id"]) == ("analyze_agent", "queued", agent.id)
    read = (await api.get(f"{API}/agents/{agent.id}/analyses/{job['id']}")).json()
    unasked = {"until": None, "summary": False, "summary_model": "agent"}
    assert read["request"] == ASKED | unasked
    assert (read["job"]["id"], read["report"]) == (job["id"], None)


async def test_report_is_what_the_analysis_found(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    job = await make_analysis(session, actor, agent)
    read = (await api.get(f"{API}/agents/{agent.id}/analyses/{job.id}")).json()
    expected = full_report().model_copy(update={"agent_id": agent.id})
    assert AnalysisReport.model_validate(read["report"]) == expected


async def test_second_analysis_waits_for_the_first(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    path = f"{API}/agents/{agent.id}/analyze"
    first = (await api.post(path, json={})).json()
    refused = await api.post(path, json={})
    assert refused.status_code == 409
    assert f"job {first['id']}" in refused.json()["error"]["message"]
    await api.post(f"{API}/jobs/{first['id']}/cancel")
    assert (await api.post(path, json={})).status_code == 202


async def test_same_request_under_a_key_asks_once(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    path, headers = f"{API}/agents/{agent.id}/analyze", {"Idempotency-Key": "once"}
    first = await api.post(path, json={}, headers=headers)
    again = await api.post(path, json={}, headers=headers)
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["Location"] == first.headers["Location"]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 10_001}, "limit"),
        ({"revision": 7}, "revision"),
        ({"since": "2026-11-02T00:00:00Z", "until": "2026-11-01T00:00:00Z"}, ""),
        ({"since": "yesterday"}, "since"),
        ({"since": 5}, "since"),
        ({"agent": 1}, "agent"),
    ],
)
async def test_what_cannot_be_asked_is_refused(
    asked: dict[str, object],
    field: str,
    api: httpx2.AsyncClient,
    session: AsyncSession,
    actor: Actor,
) -> None:
    agent = await make_agent(session, actor)
    response = await api.post(f"{API}/agents/{agent.id}/analyze", json=asked)
    assert response.status_code == 422
    assert field in response.text


async def test_members_analyse_their_own_agents_alone(
    member_api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, member: User
) -> None:
    own = await make_agent(session, actor_for(member))
    foreign = await make_agent(session, actor)
    job = await make_analysis(session, actor, foreign)
    assert (await member_api.post(f"{API}/agents/{own.id}/analyze", json={})).status_code == 202
    answers = [
        await member_api.post(f"{API}/agents/{foreign.id}/analyze", json={}),
        await member_api.get(f"{API}/agents/{foreign.id}/analyses/{job.id}"),
        await member_api.get(f"{API}/agents/{own.id}/analyses/{job.id}"),
    ]
    assert [answer.status_code for answer in answers] == [404, 404, 404]


@pytest.mark.parametrize("missing", [Permission.JOBS_WRITE, Permission.EXECUTIONS_READ])
async def test_key_needs_both_to_start_jobs_and_to_read_runs(
    missing: Permission, app: FastAPI, session: AsyncSession, actor: Actor, staff: User
) -> None:
    agent = await make_agent(session, actor)
    scopes = {Permission.AGENTS_READ, Permission.JOBS_WRITE, Permission.EXECUTIONS_READ} - {missing}
    headers = await key_headers(session, staff, sorted(scopes))
    async with client_of(app, headers=headers) as client:
        response = await client.post(f"{API}/agents/{agent.id}/analyze", json={})
    assert response.status_code == 403


async def test_job_of_another_kind_is_no_analysis(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    job = await make_job(session, actor, agent_id=agent.id)
    job.kind = "send_mail"
    await session.flush()
    assert (await api.get(f"{API}/agents/{agent.id}/analyses/{job.id}")).status_code == 404


async def test_report_of_another_version_is_not_taken_for_one_of_ours(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    job = await make_job(
        session, actor, agent_id=agent.id, status=JobStatus.SUCCEEDED, result={"version": 99}
    )
    read = (await api.get(f"{API}/agents/{agent.id}/analyses/{job.id}")).json()
    assert read["report"] is None
