"""From a span that a runtime exports to what the pages of its tool and its agent say."""

from typing import Any

import httpx2
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.database import Database
from app.core.process_pool import ProcessPool
from app.models import User
from app.services.ingestion.otlp import PROTOBUF
from app.services.ingestion.wire import WireSpan
from tests.factories.agents import make_agent
from tests.factories.clients import key_headers
from tests.factories.tool_calls import CALLED_AT, count_now
from tests.factories.tools import make_tool
from tests.integration.otlp.test_convergence import agent, send
from tests.otlp.requests import SECOND, make_span

BEGAN_NS = int(CALLED_AT.timestamp()) * SECOND


def step(number: int, attributes: dict[str, Any], parent: int | None = 1) -> WireSpan:
    start_ns = BEGAN_NS + number * SECOND
    times = {"start_ns": start_ns, "end_ns": start_ns + SECOND}
    return make_span(number, parent=parent, attributes=attributes, **times)


def calling(tool: str, arguments: str) -> dict[str, str]:
    return {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": tool,
        "gen_ai.tool.call.arguments": arguments,
    }


async def test_exported_calls_are_held_against_the_schema_and_unknown_tools_are_told(
    client: httpx2.AsyncClient,
    web: httpx2.AsyncClient,
    session: AsyncSession,
    database: Database,
    pool: ProcessPool,
    actor: Actor,
    staff: User,
) -> None:
    weather = await make_tool(session, actor, name="weather")
    forecaster = await make_agent(session, actor, name="forecaster", tool_ids=[weather.id])
    client.headers.update(await key_headers(session, staff))
    spans = [
        step(1, agent("forecaster"), parent=None),
        step(2, calling("weather", '{"city": "Rome"}')),
        step(3, calling("weather", '{"city": 5}')),
        step(4, calling("teleport", "{}")),
    ]
    await send(client, spans, PROTOBUF)
    await send(client, spans[2:], PROTOBUF)
    await count_now(database, pool)
    (run,) = (await client.get("/api/v1/executions")).json()["items"]
    contract = (await client.get(f"/api/v1/tools/{weather.id}/contract")).json()
    assert contract["total"] | {"calls": 2, "checked": 2, "broken": 1} == contract["total"]
    page = (await web.get(f"/tools/{weather.id}")).text
    assert "city is not of the type string" in page
    assert f"/executions/{run['id']}?span={3:016x}#span" in page
    use = (await client.get(f"/api/v1/agents/{forecaster.id}/tool-use")).json()
    assert {(t["name"], t["standing"], t["calls"]) for t in use["tools"]} == {
        ("weather", "given", 2),
        ("teleport", "unknown", 1),
    }
    page = (await web.get(f"/agents/{forecaster.id}")).text
    assert "teleport" in page
    assert "unknown tool" in page
