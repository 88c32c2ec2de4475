"""What a list shows of a run that its sender did not say outright."""

from typing import Any

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from tests.factories.agents import make_agent
from tests.factories.executions import execution_data

RUNS = "/api/v1/executions"


@pytest.fixture
async def data(session: AsyncSession, actor: Actor) -> dict[str, Any]:
    return execution_data(await make_agent(session, actor))


async def test_run_is_found_by_the_model_of_steps_that_came_later(
    api: httpx2.AsyncClient, data: dict[str, Any]
) -> None:
    opened = await api.post(RUNS, json={"agent_id": data["agent_id"], "status": "running"})
    step = {"kind": "llm", "name": "chat", "model": "gpt-4o"}
    changed = await api.patch(opened.headers["location"], json={"spans": [step]})
    assert changed.json()["model"] == "gpt-4o"
    found = (await api.get(RUNS, params={"model": "gpt-4o"})).json()["items"]
    assert [run["id"] for run in found] == [changed.json()["id"]]


async def test_preview_of_content_parts_is_what_they_say(
    api: httpx2.AsyncClient, data: dict[str, Any]
) -> None:
    parts = [
        {"type": "text", "text": "What is on this picture?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBOR"}},
    ]
    conversation = {"messages": [{"role": "user", "content": parts}]}
    stored = await api.post(RUNS, json={"agent_id": data["agent_id"], "input": conversation})
    assert stored.json()["preview"] == "What is on this picture? [image_url]"
