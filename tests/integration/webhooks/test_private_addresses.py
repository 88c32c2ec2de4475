"""An address that no call would ever reach is refused when it is saved."""

import httpx2
from fastapi import FastAPI

from app.core.config import Settings
from tests.integration.envelope import assert_envelope, fields_of
from tests.integration.webhooks.conftest import Subscribe

API = "/api/v1"
PRIVATE = "http://127.0.0.1/x http://[::1]/x http://10.0.0.7/x http://2130706433/ http://0x7f.1/"


def assert_refused(answer: httpx2.Response, field: str) -> None:
    message = assert_envelope(answer, 422, "VALIDATION_ERROR")
    assert "OUTBOUND_ALLOWED_NETWORKS" in message
    assert fields_of(answer) == {field}


async def test_webhook_to_a_private_address_is_refused_when_it_is_saved(
    app: FastAPI, settings: Settings, boss: httpx2.AsyncClient, subscribe: Subscribe
) -> None:
    endpoint = await subscribe("job.failed")  # on this machine, while that is allowed
    app.state.settings = settings
    url = f"{API}/webhooks"
    for private in PRIVATE.split():
        body = {"url": private, "events": ["job.failed"]}
        assert_refused(await boss.post(url, json=body), "url")
        assert_refused(await boss.patch(f"{url}/{endpoint['id']}", json={"url": private}), "url")
    # What was allowed when it was saved may be changed otherwise.
    answer = await boss.patch(f"{url}/{endpoint['id']}", json={"description": "Ours."})
    assert answer.status_code == 200


async def test_tool_at_a_private_address_is_refused_when_it_is_saved(
    api: httpx2.AsyncClient, web: httpx2.AsyncClient
) -> None:
    url = f"{API}/tools"
    tool = (await api.post(url, json={"name": "orders", "kind": "http"})).json()
    for private in PRIVATE.split():
        endpoint = {"endpoint": {"url": private}}
        body = {"name": "other", "kind": "http"} | endpoint
        assert_refused(await api.post(url, json=body), "endpoint")
        assert_refused(await api.patch(f"{url}/{tool['id']}", json=endpoint), "endpoint")
    form = {"name": "other", "kind": "http", "parameters": "{}", "endpoint_url": "http://10.0.0.7"}
    page = await web.post("/tools/new", data=form)
    assert page.status_code == 422
    assert "OUTBOUND_ALLOWED_NETWORKS" in page.text
