"""Whoever has the id of a request finds the lines of the work that it caused."""

import pytest
import structlog
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.jobs.context import JobContext
from app.jobs.registry import Handled
from app.models import JobKind, User
from app.services.jobs import JobService
from tests.conftest import actor_for, client_of
from tests.factories.agents import make_agent
from tests.factories.clients import key_headers
from tests.jobs import work_off
from tests.logs import logging_to

ID = "caller-0123456789"


async def ask_for_more(context: JobContext) -> None:
    """A job that causes another one."""
    async with context.last_step() as step:
        await JobService(step.session, step.actor).enqueue(JobKind.SEND_MAIL, {})


async def nothing(_: JobContext) -> None:
    structlog.get_logger("greenroom.test").info("inside")


async def test_lines_of_a_job_and_of_what_it_asks_for_carry_the_id_of_the_request(
    app: FastAPI,
    session: AsyncSession,
    staff: User,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handled = [
        Handled(JobKind.ANALYZE_AGENT, ask_for_more),
        Handled(JobKind.SEND_MAIL, nothing),
    ]
    monkeypatch.setattr("tests.jobs.HANDLED", handled)
    agent = await make_agent(session, actor_for(staff))
    headers = await key_headers(session, staff) | {"X-Correlation-ID": ID}
    with logging_to(settings) as written:
        async with client_of(app, headers=headers) as client:
            answer = await client.post(f"/api/v1/agents/{agent.id}/analyze", json={})
            assert answer.status_code == 202, answer.text
            await work_off(app)
            found = await client.get(f"/api/v1/jobs/{answer.json()['id']}")
    assert found.json()["request_id"] == ID
    ends = written.said("job")
    assert [(line["kind"], line["outcome"]) for line in ends] == [
        ("analyze_agent", "succeeded"),
        ("send_mail", "succeeded"),
    ]
    began = written.said("job began")
    assert {line["request_id"] for line in [*began, *written.said("inside"), *ends]} == {ID}
    assert ends[0]["duration_ms"] >= 0
    assert (ends[1]["attempt"], ends[1]["job"]) == (1, began[1]["job"])
