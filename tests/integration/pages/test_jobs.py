"""The list of jobs stays readable, however many messages webhooks send."""

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import JobKind
from tests.factories.jobs import make_job

DELIVERY, ANALYSIS = "Deliver webhook", "Analyze agent"


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", {ANALYSIS}),
        ("?status=queued", {ANALYSIS}),
        ("?deliveries=1", {ANALYSIS, DELIVERY}),
        ("?kind=deliver_webhook", {DELIVERY}),
    ],
)
async def test_deliveries_of_webhooks_are_listed_when_they_are_asked_for(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, query: str, shown: set[str]
) -> None:
    await make_job(session, actor)
    await make_job(session, actor, JobKind.DELIVER_WEBHOOK, params={"delivery_id": 1})
    headers = {"HX-Request": "true", "HX-Request-Type": "partial"}
    rows = (await web.get(f"/jobs{query}", headers=headers)).text
    assert {kind for kind in (DELIVERY, ANALYSIS) if f">{kind}</a>" in rows} == shown


async def test_list_without_deliveries_has_its_own_index(session: AsyncSession) -> None:
    await session.execute(text("SET LOCAL enable_seqscan = off"))
    plan = await session.scalars(
        text(
            "EXPLAIN SELECT id FROM jobs WHERE kind != 'deliver_webhook' "
            "ORDER BY created_at DESC, id DESC LIMIT 50"
        )
    )
    assert "ix_jobs_without_deliveries" in "\n".join(plan)
