"""Who waits for a receipt gets one, whatever becomes of those who were stored beside them."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import orjson
import pytest

from app.core.actor import Actor, Via
from app.core.database import Database
from app.core.database_errors import UNAVAILABLE
from app.exceptions import Unavailable
from app.services.ingest_batches import Receipt, Sent
from app.services.ingestion.otlp import JSON
from app.services.ingestion.otlp.json_request import decode_json
from app.services.ingestion.prepared import Prepared, prepare
from app.services.ingestion.queue import IngestQueue

SENT = Sent(Actor.system(Via.API), Prepared({}, [], 1), JSON, 1)


class ApartQueue(IngestQueue):
    """Stores nothing together; while the first of those is stored alone, its client leaves."""

    leaves: "asyncio.Task[Receipt] | None" = None
    refused = False

    async def _store(self, sent: Sequence[Sent]) -> list[Receipt]:
        if len(sent) > 1:
            self.refused = True
            raise ValueError
        if self.refused and self.leaves is not None:
            self.leaves.cancel()
        await asyncio.sleep(0)
        return [Receipt(1, 0, "")]


async def test_client_that_leaves_while_its_spans_are_stored_keeps_nobody_waiting() -> None:
    queue = ApartQueue(Database.__new__(Database), 1_000)
    clients = [asyncio.create_task(queue.submit(SENT)) for _ in range(4)]
    queue.leaves = clients[2]
    async with asyncio.timeout(2):
        answers = await asyncio.gather(*clients, return_exceptions=True)
    assert isinstance(answers[2], asyncio.CancelledError)
    assert [answers[n] for n in (0, 1, 3)] == [Receipt(1, 0, "")] * 3


class GoneQueue(IngestQueue):
    """Its database is gone for three tries, and back then."""

    tries = 0

    async def _store(self, sent: Sequence[Sent]) -> list[Receipt]:
        self.tries += 1
        if self.tries <= 3:
            raise Unavailable(UNAVAILABLE)
        return [Receipt(1, len(each.prepared.rejected), "") for each in sent]


async def test_span_is_sent_again_and_not_refused_while_the_database_is_gone() -> None:
    span = {"traceId": "ab" * 16, "spanId": "cd" * 8, "name": "chat", "startTimeUnixNano": "1"}
    request = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    prepared = prepare(decode_json(orjson.dumps(request)), lambda *_: None)
    assert prepared.traces
    queue = GoneQueue(Database.__new__(Database), 1_000)
    with pytest.raises(Unavailable):
        await queue.submit(replace(SENT, prepared=prepared))
