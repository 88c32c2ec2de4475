"""What a run of OpenTelemetry says on its page, and what of it is kept."""

import httpx2
import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import User
from app.services.ingestion.otlp import JSON
from app.services.ingestion.wire import Origin, WireEvent
from tests.factories.clients import key_headers
from tests.otlp.requests import encoded, make_span

SECRET = "sk-shown-nowhere"
THOUGHT, ANSWER = "The warehouse list says three.", "Three are in stock."
ASKED = [{"role": "user", "parts": [{"type": "text", "content": "Is it in stock?"}]}]
SAID = [
    {
        "role": "assistant",
        "parts": [
            {"type": "reasoning", "content": THOUGHT},
            {"type": "text", "content": ANSWER},
        ],
    }
]
CHAT = make_span(
    1,
    attributes={
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.conversation.id": "c-7",
        "gen_ai.input.messages": orjson.dumps(ASKED).decode(),
        "gen_ai.output.messages": orjson.dumps(SAID).decode(),
        "http.request.header.authorization": SECRET,
        "config": orjson.dumps({"api_key": SECRET, "kept": 1}).decode(),
    },
    events=(WireEvent("request", 1, {"headers.authorization": SECRET, "kept": 1}),),
    origin=Origin({"service.name": "shop", "service.password": SECRET}),
)
BODIES = "SELECT attributes::text || events::text FROM span_bodies"
ORIGINS = "SELECT resource::text FROM span_origins"


async def test_thoughts_and_answer_are_on_the_page_and_secrets_are_nowhere(
    client: httpx2.AsyncClient, web: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    client.headers.update(await key_headers(session, staff))
    sent = await client.post("/v1/traces", **encoded([CHAT], JSON))
    assert sent.status_code == 200, sent.text
    run = (await client.get("/api/v1/executions?session_id=c-7")).json()["items"][0]
    page = (await web.get(f"/executions/{run['id']}")).text
    for words in ("Is it in stock?", "<summary>Reasoning (", THOUGHT, ANSWER):
        assert words in page
    found = await web.get(f"/executions/{run['id']}", params={"find": "is it in STOCK?"})
    assert "No step holds that" not in found.text
    for statement in (BODIES, ORIGINS):
        stored = str((await session.execute(text(statement))).scalars().all())
        assert "shop" in stored or "kept" in stored
        assert SECRET not in stored
