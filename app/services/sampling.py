"""Looks at this process every few seconds for Prometheus, and at how late its event loop is."""

import asyncio
from dataclasses import dataclass

from app.core.background import Background
from app.core.database import Database
from app.core.process_gauges import ProcessGauges
from app.core.prometheus import PrometheusMeters
from app.core.rate_limits import RateLimits
from app.core.rooms import Rooms
from app.services.ingestion.queue import IngestQueue

TICK_S = 0.5
TICKS = 10  # between two looks


@dataclass(frozen=True, slots=True)
class Watched:
    """What a process has, of which there may be no more than the database."""

    database: Database
    rooms: Rooms | None = None
    ingest: IngestQueue | None = None
    limits: RateLimits | None = None


class Sampler(Background):
    def __init__(self, meters: PrometheusMeters, watched: Watched) -> None:
        self._meters = meters
        self._watched = watched
        self._gauges = ProcessGauges(meters.registry)

    async def _work(self) -> None:
        loop, ticks = asyncio.get_running_loop(), 0
        self.sample()
        while True:
            due = loop.time() + TICK_S
            await asyncio.sleep(TICK_S)
            self._meters.lag.observe(max(0.0, loop.time() - due))
            ticks += 1
            if ticks % TICKS == 0:
                self.sample()

    def sample(self) -> None:
        """Short: nothing is waited for."""
        gauges, watched = self._gauges, self._watched
        # Again and again: a server may build the app before it forks, and forks begin at zero.
        gauges.set_build(self._meters.version)
        for name, pool in watched.database.pools().items():
            gauges.set_pool(name, pool)
        gauges.database_up.set(not watched.database.is_down)
        if watched.rooms is not None:
            gauges.sockets.set(len(watched.rooms))
            gauges.set_rooms(watched.rooms.sizes_by_kind())
            gauges.advance(gauges.dropped, ("dropped",), watched.rooms.counts.dropped)
        if watched.ingest is not None:
            gauges.held.set(watched.ingest.held_bytes)
            gauges.held_max.set(watched.ingest.max_bytes)
            gauges.waiting.set(watched.ingest.waiting)
        if watched.limits is not None:
            gauges.limits_alone.set(watched.limits.is_degraded)
