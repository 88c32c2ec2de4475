"""Something dies right after spans were acknowledged; then every one of them is looked for."""

import asyncio
import itertools
import os
import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import asyncpg
import httpx2

from app.services.ingestion.otlp import PROTOBUF
from tests.otlp.requests import encoded, make_span
from tests.outage import MortalPostgres, Outage
from tests.server import Installation

SENDERS, SPANS, ACKS = 4, 20, 12
BACKEND = """
SELECT pid FROM pg_stat_activity
WHERE application_name LIKE 'greenroom%' AND backend_type = 'client backend'
  AND query ILIKE ANY (ARRAY['%span_bodies%', '%executions%', 'COMMIT%'])
ORDER BY state = 'active' DESC, query_start DESC LIMIT 1
"""
KEPT = """
SELECT count(*) FROM unnest($1::bytea[]) AS sent (trace_id)
WHERE (SELECT count(*) FROM spans s JOIN span_bodies b USING (trace_id, span_id, started_at)
       WHERE s.trace_id = sent.trace_id) = $2
  AND EXISTS (SELECT FROM executions e WHERE e.trace_id = sent.trace_id AND e.span_count = $2)
"""


class Victim(StrEnum):
    """What is killed with SIGKILL."""

    WEB = "web process"
    BACKEND = "backend of the database"
    DATABASE = "database"


@dataclass(slots=True)
class Exporters:
    """Clients that send traces one after the other and note those that were acknowledged."""

    home: Installation
    chance: random.Random
    acknowledged: list[bytes] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._send()) for _ in range(SENDERS)]

    async def _send(self) -> None:
        async with self.home.api_client() as client:
            while True:
                trace = self.chance.getrandbits(120) + 1
                spans = [make_span(1, trace=trace)]
                spans += [make_span(n, trace=trace, parent=1) for n in range(2, SPANS + 1)]
                try:
                    answer = await client.post("/v1/traces", **encoded(spans, PROTOBUF))
                except httpx2.TransportError:
                    await asyncio.sleep(0.02)
                    continue
                if answer.status_code == 200:
                    self.acknowledged.append(spans[0].trace_id)
                elif answer.status_code != 503:
                    raise AssertionError(f"{answer.status_code} {answer.text}")
                else:
                    await asyncio.sleep(0.02)

    async def until(self, count: int) -> None:
        while len(self.acknowledged) < count:
            for task in self._tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(0.001)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def connect(mortal: MortalPostgres) -> "asyncpg.Connection[asyncpg.Record]":
    url = mortal.embedded.url().replace("postgresql+asyncpg", "postgresql")
    for again in itertools.count():
        try:
            return await asyncpg.connect(url)
        except (OSError, asyncpg.PostgresError):
            if again > 200:
                raise
            await asyncio.sleep(0.05)
    raise AssertionError


async def strike(victim: Victim, home: Installation, mortal: MortalPostgres) -> None:
    """Kill it, and start again what does not start by itself."""
    match victim:
        case Victim.WEB:
            home.server.kill()
            await asyncio.to_thread(home.server.start)
        case Victim.BACKEND:
            connection = await connect(mortal)
            pid = await connection.fetchval(BACKEND)
            await connection.close()
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
        case Victim.DATABASE:
            await asyncio.to_thread(mortal.begin, Outage.KILLED)
            await asyncio.to_thread(mortal.end, Outage.KILLED)


async def missing(mortal: MortalPostgres, acknowledged: Sequence[bytes]) -> int:
    """How many of these traces are not whole."""
    connection = await connect(mortal)
    try:
        kept: int = await connection.fetchval(KEPT, list(acknowledged), SPANS)
        return len(acknowledged) - kept
    finally:
        await connection.close()


async def cycle(
    victim: Victim, home: Installation, mortal: MortalPostgres, seed: int
) -> tuple[int, int]:
    """How many traces were acknowledged in all, and how many of them are missing."""
    chance = random.Random(seed)  # noqa: S311  (no secrets are made)
    exporters = Exporters(home, chance)
    exporters.start()
    try:
        await exporters.until(ACKS + chance.randrange(ACKS))
        await strike(victim, home, mortal)
        # It goes on by itself.
        await exporters.until(len(exporters.acknowledged) + SENDERS)
    finally:
        await exporters.stop()
    return len(exporters.acknowledged), await missing(mortal, exporters.acknowledged)
