"""From a new key to the first span, and what becomes of spans that were refused."""

import re

import httpx2
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import Agent, ApiKey, RejectedSpan
from app.pages.connect_snippets import SNIPPETS
from app.services.ingestion.otlp import JSON
from tests.factories.ingest_batches import UNREADABLE, good_request, make_ingest_batch
from tests.integration.otlp.test_convergence import send
from tests.otlp.requests import make_span

TOKEN = re.compile(r'id="new-key">(gr_[^<]+)<')
HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


async def test_key_of_the_page_brings_the_first_span_and_the_page_leads_to_its_run(
    web: httpx2.AsyncClient, client: httpx2.AsyncClient, session: AsyncSession
) -> None:
    made = await web.post("/connect", data={"name": "laptop", "framework": "curl"})
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    token = TOKEN.findall(made.text)[0]
    assert f"OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer%20{token}" in made.text
    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost" in made.text
    assert "Waiting for your first span" in made.text
    key = (await session.scalars(select(ApiKey).where(ApiKey.name == "laptop"))).one()
    assert key.scopes == ["executions:write"]
    client.headers["Authorization"] = f"Bearer {token}"
    await send(client, [make_span(1)], JSON)
    arrived = (await web.get(f"/connect/{key.id}", headers=HTMX)).text
    assert "Connected" in arrived
    assert "data-live-room" not in arrived, "nothing is waited for any more"
    run = re.findall(r'href="(/executions/\d+)"', arrived)[0]
    assert (await web.get(run)).status_code == 200
    again = (await web.get(f"/connect?key={key.id}")).text
    assert token not in again


async def test_refused_spans_are_told_instead_of_waiting_for_ever(
    web: httpx2.AsyncClient, client: httpx2.AsyncClient, session: AsyncSession
) -> None:
    made = await web.post("/connect", data={"name": "laptop"})
    client.headers["Authorization"] = f"Bearer {TOKEN.findall(made.text)[0]}"
    assert (await client.post("/v1/traces", json=UNREADABLE)).status_code == 200
    key_id = await session.scalar(select(ApiKey.id).where(ApiKey.name == "laptop"))
    page = (await web.get(f"/connect?key={key_id}")).text
    assert "could not be stored" in page
    assert "data-live-room" in page


@pytest.mark.parametrize("framework", [snippet.key for snippet in SNIPPETS])
async def test_tabs_are_links_that_work_without_script(
    web: httpx2.AsyncClient, framework: str
) -> None:
    page = (await web.get(f"/connect?framework={framework}")).text
    assert page.count('aria-current="true"') == 1
    assert f'id="tab-{framework}" href="/connect?framework={framework}"' in page


async def test_key_without_a_name_is_asked_for_one(web: httpx2.AsyncClient) -> None:
    refused = await web.post("/connect", data={"name": ""})
    assert refused.status_code == 422
    assert "Name of the key" in refused.text


async def test_rejected_span_is_sent_again_from_its_page(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    batch = await make_ingest_batch(session, actor, (good_request(), UNREADABLE))
    listed = (await web.get("/ingest?rejected=true")).text
    assert f'href="/ingest/{batch.id}"' in listed
    page = (await web.get(f"/ingest/{batch.id}")).text
    assert "Its time is over." in page
    first = await session.scalar(select(RejectedSpan.id).order_by(RejectedSpan.id).limit(1))
    sent = await web.post(f"/ingest/{batch.id}/replay", data={"span_id": str(first)})
    assert sent.headers["location"] == f"/ingest/{batch.id}?notice=replayed"
    sent = await web.post(f"/ingest/{batch.id}/replay")
    assert sent.headers["location"] == f"/ingest/{batch.id}?notice=refused_again"
    page = (await web.get(f"/ingest/{batch.id}")).text
    assert f'id="span-{first}"' not in page
    assert "Its time is over." not in page
    assert "cannot be stored as it was sent" in page
    assert "again</button>" not in page, "it would be refused for ever"


async def test_draft_says_so_until_somebody_describes_it(
    web: httpx2.AsyncClient, api: httpx2.AsyncClient, session: AsyncSession
) -> None:
    await send(api, [make_span(1)], JSON)
    agent = (await session.scalars(select(Agent))).one()
    hint = "Seen in traces; describe it to make it yours"
    for path in (f"/agents/{agent.id}", "/agents?is_draft=true"):
        assert hint in (await web.get(path)).text
    drafts = (await api.get("/api/v1/agents?is_draft=true")).json()["items"]
    assert [each["id"] for each in drafts] == [agent.id]
    await api.patch(f"/api/v1/agents/{agent.id}", json={"description": "Sells shoes."})
    assert hint not in (await web.get(f"/agents/{agent.id}")).text
    assert (await api.get("/api/v1/agents?is_draft=true")).json()["items"] == []
