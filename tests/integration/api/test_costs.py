"""Tokens and costs of runs as they are sent, priced and summed."""

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


async def test_cache_writes_and_providers_of_steps_are_kept(
    api: httpx2.AsyncClient, data: dict[str, Any]
) -> None:
    usage = {"cached_tokens": 30, "cache_write_tokens": 40}
    one = data["spans"][1] | usage | {"provider": "anthropic"}
    other = one | {"span_id": "00000000000000d1", "provider": None}
    sent = [one, other | {"attributes": {"gen_ai.system": "openai"}}]
    run = (await api.post(RUNS, json=data | {"spans": sent})).json()
    assert (run["cached_tokens"], run["cache_write_tokens"]) == (60, 80)
    spans = (await api.get(f"{RUNS}/{run['id']}/trace")).json()["spans"]
    assert [span["cache_write_tokens"] for span in spans] == [40, 40]
    assert {span["provider"] for span in spans} == {"anthropic", "openai"}
    changed = await api.patch(f"{RUNS}/{run['id']}", json={"cache_write_tokens": 9})
    assert changed.json()["cache_write_tokens"] == 9
