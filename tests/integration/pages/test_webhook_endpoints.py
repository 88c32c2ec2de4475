"""Webhooks on pages and over the API: who may do what, and what is shown once."""

import re

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Environment, Settings
from app.models import User, WebhookEndpoint
from app.services.webhook_endpoints import MAX_ENDPOINTS
from tests.conftest import actor_for, client_of
from tests.factories.clients import log_in
from tests.factories.webhook_endpoints import make_webhook_delivery, make_webhook_endpoint

API = "/api/v1"
SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{44}")
FORM = {"url": "https://hooks.example.com/in", "description": "Pager", "events": ["job.failed"]}


@pytest.fixture
async def root(
    client: httpx2.AsyncClient, session: AsyncSession, settings: Settings, superuser: User
) -> httpx2.AsyncClient:
    await log_in(client, session, settings, superuser)
    return client


async def test_secret_is_shown_once_and_on_no_other_page(
    root: httpx2.AsyncClient, session: AsyncSession
) -> None:
    made = await root.post("/webhooks/new", data=FORM)
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    [secret] = set(SECRET.findall(made.text))
    endpoint = (await session.scalars(select(WebhookEndpoint))).one()
    rotated = await root.post(f"/webhooks/{endpoint.id}/rotate", data={"overlap_hours": "24"})
    assert "two signatures" in rotated.text
    assert secret not in rotated.text
    for path in ("/webhooks", f"/webhooks/{endpoint.id}", f"/webhooks/{endpoint.id}/edit"):
        shown = (await root.get(path)).text
        assert "Pager" in shown
        assert not SECRET.search(shown)


async def test_list_and_page_say_how_an_endpoint_fares(
    root: httpx2.AsyncClient, session: AsyncSession, superuser: User
) -> None:
    actor = actor_for(superuser)
    endpoint = (await make_webhook_endpoint(session, actor, description="Pager")).endpoint
    sent = await make_webhook_delivery(session, actor, endpoint)
    listed = (await root.get("/webhooks")).text
    assert "Pager" in listed
    assert f"/webhooks/{endpoint.id}/deliveries/{sent.id}" in listed
    shown = (await root.get(f"/webhooks/{endpoint.id}")).text
    assert "webhook.test" in shown
    assert "Pending" in shown
    assert "hx-get" in shown, "the page looks again while a message is on its way"
    assert "webhook.test" not in (await root.get(f"/webhooks/{endpoint.id}?status=failed")).text
    detail = (await root.get(f"/webhooks/{endpoint.id}/deliveries/{sent.id}")).text
    assert sent.event_id in detail
    assert (await root.get(f"/webhooks/{endpoint.id}/deliveries/987654")).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"url": "ftp://example.com"}, "url"),
        ({"url": "https://user:secret@example.com/"}, "url"),
        ({"url": "https://example.com/#part"}, "url"),
        ({"url": "https://exa mple.com/"}, "url"),
        ({"url": "https://[::1/"}, "url"),
        ({"url": "https://example.com:99999/"}, "url"),
        ({"url": ""}, "url"),
        ({"events": []}, "events"),
        ({"events": ["webhook.test"]}, "events"),
        ({"description": "x" * 201}, "description"),
    ],
)
async def test_refused_form_says_why_and_keeps_what_was_typed(
    root: httpx2.AsyncClient, wrong: dict[str, object], field: str
) -> None:
    refused = await root.post("/webhooks/new", data=FORM | wrong)
    assert refused.status_code == 422
    assert f'id="f-{field}-e"' in refused.text
    label = {"url": "Address", "events": "Tell it when", "description": "Description"}[field]
    assert f'<li><a href="#f-{field}">{label}: ' in refused.text, "as the field is called"
    assert str((FORM | wrong)["description"]) in refused.text
    body = await root.post(f"{API}/webhooks", json=FORM | wrong)
    assert body.status_code == 422


async def test_plain_http_is_refused_in_production(
    app: FastAPI, root: httpx2.AsyncClient, settings: Settings
) -> None:
    app.state.settings = settings.model_copy(update={"environment": Environment.PRODUCTION})
    refused = await root.post("/webhooks/new", data=FORM | {"url": "http://hooks.example.com/"})
    assert refused.status_code == 422
    assert "https address" in refused.text


async def test_edit_that_crosses_another_is_not_saved(
    root: httpx2.AsyncClient, session: AsyncSession, superuser: User
) -> None:
    endpoint = (await make_webhook_endpoint(session, actor_for(superuser))).endpoint
    path = f"/webhooks/{endpoint.id}/edit"
    first = await root.post(path, data=FORM | {"row_version": "1"})
    assert first.status_code == 303
    second = await root.post(path, data=FORM | {"row_version": "1", "description": "Mine"})
    assert second.status_code == 422
    assert "saved this webhook endpoint in between" in second.text
    assert "Mine" in second.text


async def test_disabled_endpoint_says_so_and_is_enabled_again(
    root: httpx2.AsyncClient, session: AsyncSession, superuser: User
) -> None:
    endpoint = (await make_webhook_endpoint(session, actor_for(superuser))).endpoint
    await root.post(f"/webhooks/{endpoint.id}/disable")
    shown = (await root.get(f"/webhooks/{endpoint.id}")).text
    assert "Switched off by hand." in shown
    assert "Send test event" not in shown
    await root.post(f"/webhooks/{endpoint.id}/enable")
    await session.refresh(endpoint)
    assert (endpoint.is_active, endpoint.disabled_reason) == (True, None)


async def test_trashed_endpoint_comes_back_by_undo(
    root: httpx2.AsyncClient, session: AsyncSession, superuser: User
) -> None:
    endpoint = (await make_webhook_endpoint(session, actor_for(superuser))).endpoint
    gone = await root.post(f"/webhooks/{endpoint.id}/delete")
    listed = await root.get(gone.headers["location"])
    assert f"/webhooks/{endpoint.id}/restore" in listed.text
    assert endpoint.url in (await root.get("/trash?resource=webhook_endpoints")).text
    assert (await root.post(f"/webhooks/{endpoint.id}/restore")).status_code == 303
    assert (await root.get(f"/webhooks/{endpoint.id}")).status_code == 200


async def test_staff_send_again_but_do_not_say_where_messages_go(
    web: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    endpoint = (await make_webhook_endpoint(session)).endpoint
    sent = await make_webhook_delivery(session, actor_for(staff), endpoint)
    shown = (await web.get(f"/webhooks/{endpoint.id}")).text
    assert "Send again" in shown
    assert "New secret" not in shown
    path = f"/webhooks/{endpoint.id}/deliveries/{sent.id}/redeliver"
    assert (await web.post(path)).status_code == 303
    assert (await web.get("/webhooks/new")).status_code == 403


async def test_number_of_endpoints_is_bounded(
    root: httpx2.AsyncClient, session: AsyncSession, superuser: User
) -> None:
    for _ in range(MAX_ENDPOINTS):
        await make_webhook_endpoint(session, actor_for(superuser), events=["job.failed"])
    refused = await root.post(f"{API}/webhooks", json=FORM)
    assert refused.status_code == 409


async def test_endpoint_is_made_once_under_an_idempotency_key(root: httpx2.AsyncClient) -> None:
    headers = {"Idempotency-Key": "one"}
    first = await root.post(f"{API}/webhooks", json=FORM, headers=headers)
    again = await root.post(f"{API}/webhooks", json=FORM, headers=headers)
    assert first.json()["id"] == again.json()["id"]
    assert SECRET.fullmatch(first.json()["secret"])
    assert again.json()["secret"] is None


async def test_lists_over_the_api_are_pages(
    app: FastAPI, root: httpx2.AsyncClient, session: AsyncSession, superuser: User
) -> None:
    actor = actor_for(superuser)
    endpoint = (await make_webhook_endpoint(session, actor, description="Pager")).endpoint
    for _ in range(3):
        await make_webhook_delivery(session, actor, endpoint)
    found = (await root.get(f"{API}/webhooks", params={"q": "page"})).json()
    assert [item["id"] for item in found["items"]] == [endpoint.id]
    assert "secret" not in found["items"][0]
    path = f"{API}/webhooks/{endpoint.id}/deliveries"
    page = (await root.get(path, params={"limit": 2})).json()
    rest = (await root.get(path, params={"limit": 2, "cursor": page["next_cursor"]})).json()
    ids = [item["id"] for item in (*page["items"], *rest["items"])]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == 3
    assert (await root.get(path, params={"status": "failed"})).json()["items"] == []
    async with client_of(app) as stranger:
        assert (await stranger.get(path)).status_code == 401
