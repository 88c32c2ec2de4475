"""The receiver that docs/webhooks.md shows takes our messages, once each, and no others."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import HTTPServer
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from app.core.config import PROJECT_ROOT
from app.models import WebhookEvent
from tests.integration.webhooks.conftest import Subscribe
from tests.jobs import work_off

PAGE = (PROJECT_ROOT / "docs" / "webhooks.md").read_text()
[EXAMPLE] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
API = "/api/v1"


@contextmanager
def example_receiver(secret: str, handled: list[Any]) -> Iterator[str]:
    """The code of the page at work, with our own ``handle``; its address."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GREENROOM_WEBHOOK_SECRET", secret)
        names: dict[str, Any] = {"__name__": "example"}
        exec(compile(EXAMPLE, "docs/webhooks.md", "exec"), names)  # noqa: S102  (our own page)
    names["handle"] = handled.append
    names["Hooks"].log_message = lambda *_: None
    server = HTTPServer(("127.0.0.1", 0), names["Hooks"])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hooks"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def test_receiver_of_the_page_takes_what_is_ours(
    app: FastAPI, boss: httpx2.AsyncClient, subscribe: Subscribe
) -> None:
    endpoint = await subscribe("job.failed")
    handled: list[Any] = []
    path = f"{API}/webhooks/{endpoint['id']}"
    with example_receiver(endpoint["secret"], handled) as url:
        assert (await boss.patch(path, json={"url": url})).status_code == 200
        sent = (await boss.post(f"{path}/test")).json()
        await work_off(app)
        await boss.post(f"{path}/deliveries/{sent['id']}/redeliver")
        await work_off(app)
        assert (await boss.get(f"{path}/deliveries/{sent['id']}")).json()["attempts"] == 2
        assert [message["type"] for message in handled] == ["webhook.test"]
        async with httpx2.AsyncClient(trust_env=False) as stranger:
            forged = await stranger.post(url, content=b'{"type": "webhook.test"}')
    assert forged.status_code == 401
    assert len(handled) == 1


def test_page_names_every_event() -> None:
    missing = [event.value for event in WebhookEvent if f"`{event.value}`" not in PAGE]
    assert missing == []
