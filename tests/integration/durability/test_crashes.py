"""A server killed again and again loses nothing it acknowledged and stores nothing half."""

import asyncio
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import text

from app.core.database import Database
from tests.conftest import actor_for
from tests.factories.agents import make_agent
from tests.factories.executions import execution_data
from tests.factories.users import make_user
from tests.server import Installation, installed

CRASHES = 25
SENDERS = 4
LOAD_BEGINS_WITHIN_S = 60
# Seconds from the first answer to each kill: never in step with the runs.
LOAD_S = (0.0, 0.6)

BROKEN_RUNS = """
SELECT e.external_id FROM executions e WHERE
    (SELECT count(*) FROM execution_bodies b WHERE b.execution_id = e.id) <> 1
    OR (SELECT count(*) FROM spans s WHERE s.execution_id = e.id) <> e.span_count
    OR (SELECT count(*) FROM span_bodies b WHERE b.trace_id = e.trace_id) <> e.span_count
    OR (SELECT count(*) FROM audit_events a WHERE a.action = 'create'
        AND a.resource = 'executions' AND a.resource_id = e.id) <> 1
"""


@dataclass(slots=True)
class Ledger:
    """What the senders know: the id of each acknowledged run, and the runs whose fate is open."""

    agent: Any  # the agent of all runs
    acknowledged: dict[str, int] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)
    retried: set[str] = field(default_factory=set)
    begun: int = 0
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    def next_run(self) -> str:
        """Open ones first: their senders do not know whether they were stored."""
        if self.open:
            external_id = self.open.pop()
            self.retried.add(external_id)
            return external_id
        self.begun += 1
        return f"run-{self.begun}"

    async def send(self, client: httpx2.AsyncClient, external_id: str) -> bool:
        """Report one run; false when the answer did not come."""
        body = execution_data(self.agent, external_id=external_id)
        try:
            response = await client.post("/api/v1/executions", json=body)
        except httpx2.TransportError:
            self.open.append(external_id)
            return False
        allowed = (200, 201) if external_id in self.retried else (201,)
        assert response.status_code in allowed, response.text
        self.acknowledged[external_id] = response.json()["id"]
        self.answered.set()
        return True

    async def send_until_cut_off(self, home: Installation) -> None:
        async with home.api_client() as client:
            while await self.send(client, self.next_run()):
                pass


async def crash_under_load(home: Installation, ledger: Ledger, load_s: float) -> None:
    ledger.answered.clear()
    senders = [asyncio.create_task(ledger.send_until_cut_off(home)) for _ in range(SENDERS)]
    # On a busy machine the load may take a while to begin.
    await asyncio.wait_for(ledger.answered.wait(), LOAD_BEGINS_WITHIN_S)
    await asyncio.sleep(load_s)
    await asyncio.to_thread(home.server.kill)
    await asyncio.gather(*senders)
    await asyncio.to_thread(home.server.start)


async def stored_runs(home: Installation) -> list[tuple[str, int]]:
    async with home.database.engine.connect() as connection:
        found = await connection.execute(text("SELECT external_id, id FROM executions"))
        return [(row.external_id, row.id) for row in found]


async def broken_runs(home: Installation) -> list[str]:
    async with home.database.engine.connect() as connection:
        return list(await connection.scalars(text(BROKEN_RUNS)))


async def test_acknowledged_runs_survive_25_crashes_exactly_once(
    own_database: Database, tmp_path: Path
) -> None:
    chance = random.Random(25)  # noqa: S311  (moments of crashes, no secret)
    async with own_database.unit_of_work() as session:
        user = await make_user(session)
        ledger = Ledger(await make_agent(session, actor_for(user)))
    async with installed(own_database, tmp_path) as home:
        for _ in range(CRASHES):
            await crash_under_load(home, ledger, chance.uniform(*LOAD_S))
            assert await broken_runs(home) == []
        async with home.api_client() as client:
            while ledger.open:
                assert await ledger.send(client, ledger.next_run())
        stored = await stored_runs(home)
        assert await broken_runs(home) == []
    assert min(len(ledger.retried), len(stored)) >= CRASHES // 2
    assert len(stored) == ledger.begun
    assert dict(stored) == ledger.acknowledged
