"""The published traces, received: in every encoding and order they make the same runs."""

import json
import random
from collections.abc import Sequence
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import User
from app.services.ingestion.otlp import JSON, PROTOBUF
from app.services.ingestion.wire import WireSpan
from tests.factories.clients import key_headers
from tests.otlp.framework_traces import FOLDER, NAMES, counted, spans
from tests.otlp.requests import encoded
from tests.otlp.state import state_of

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not FOLDER.exists(), reason="the published traces are not here"),
]
EXAMPLES = FOLDER.parent / "otlp-examples"
# Whole, by span, shuffled and twice; in which encoding, packed or not.
Way = tuple[str, str, bool]
WAYS: list[Way] = [
    ("whole", JSON, False),
    ("whole", JSON, True),
    ("whole", PROTOBUF, True),
    ("by span", PROTOBUF, False),
    ("by span", JSON, False),
    ("shuffled", PROTOBUF, True),
    ("shuffled", JSON, True),
    ("twice", PROTOBUF, False),
    ("twice", JSON, False),
]


def requests(found: Sequence[WireSpan], how: str) -> list[list[WireSpan]]:
    chance = random.Random(len(found))  # noqa: S311  (no secrets are made)
    match how:
        case "by span":
            return [[span] for span in found]
        case "shuffled":
            return [[span] for span in chance.sample(found, len(found))]
        case "twice":
            return [list(found), list(reversed(found))]
        case _:
            return [list(found)]


async def send(client: httpx2.AsyncClient, found: Sequence[WireSpan], way: Way) -> None:
    how, media_type, packed = way
    for request in requests(found, how):
        answer = await client.post("/v1/traces", **encoded(request, media_type, packed=packed))
        assert (answer.status_code, len(answer.content)) in ((200, 0), (200, 2)), answer.text


async def forget(session: AsyncSession) -> None:
    await session.execute(text("DELETE FROM executions"))


@pytest.mark.parametrize("name", NAMES)
async def test_published_traces_make_the_same_runs_in_every_way(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User, name: str
) -> None:
    client.headers.update(await key_headers(session, staff))
    found = spans(name)
    await send(client, found, ("whole", PROTOBUF, False))
    wanted = await state_of(session, [found[0].trace_id])
    assert len(wanted[1]) == len(found)
    for way in WAYS:
        await forget(session)
        await send(client, found, way)
        assert await state_of(session, [found[0].trace_id]) == wanted, way


@pytest.mark.parametrize("name", NAMES)
async def test_totals_are_those_of_the_source(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User, name: str
) -> None:
    client.headers.update(await key_headers(session, staff))
    await send(client, spans(name), ("whole", PROTOBUF, True))
    (run,) = (await client.get("/api/v1/executions")).json()["items"]
    totals = {side: run[f"{side}_tokens"] for side in ("input", "output")}
    assert totals == counted(name)


async def test_the_examples_of_the_protocol_are_taken(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    client.headers.update(await key_headers(session, staff))
    answers: dict[str, Any] = {}
    for path in sorted(EXAMPLES.glob("*.json")):
        signal = "traces" if path.stem == "trace" else path.stem
        signal = "logs" if signal == "events" else signal
        answer = await client.post(f"/v1/{signal}", json=json.loads(path.read_text()))
        answers[path.stem] = answer.status_code
    assert answers == {"events": 200, "logs": 200, "metrics": 200, "trace": 200}
    (run,) = (await client.get("/api/v1/executions")).json()["items"]
    assert run["span_count"] == 1
