"""The gauges of one process, and the counters that others keep as plain numbers."""

import platform
from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge

LIVE = "livesum"  # over the processes that live


class ProcessGauges:
    """Set from what the process holds, every few seconds and before it is asked."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._seen: dict[tuple[str, ...], float] = {}
        self.pool_size = self._gauge("pool_size", "Connections that a pool may hold.", "pool")
        self.pool_used = self._gauge("pool_in_use", "Connections that are in use.", "pool")
        self.pool_waits = self._counter("pool_waits", "Waits for a free connection.", "pool")
        self.pool_waited = self._counter(
            "pool_wait_seconds", "Seconds waited for a free connection.", "pool"
        )
        self.sockets = self._gauge("sockets_open", "WebSockets that are open.")
        self.rooms = self._gauge("room_members", "Places taken in rooms, by their kind.", "room")
        self.dropped = self._counter("sockets_dropped", "WebSockets that read too slowly.")
        self.held = self._gauge("ingest_held_bytes", "Bytes of requests of runtimes in memory.")
        self.held_max = self._gauge("ingest_held_max_bytes", "Bytes from which they are refused.")
        self.waiting = self._gauge("ingest_waiting", "Requests of runtimes waiting for a writer.")
        self.build = self._gauge(
            "build_info", "1, with what runs here as labels.", "version", "python", mode="livemax"
        )
        self.database_up = self._gauge(
            "database_up", "Whether the database answers every process.", mode="livemin"
        )
        self.limits_alone = self._gauge(
            "rate_limits_alone", "1 while Redis does not answer and processes count alone.",
            mode="livemax",
        )  # fmt: skip

    def _gauge(self, name: str, text: str, *labels: str, mode: str = LIVE) -> Gauge:
        return Gauge(
            f"greenroom_{name}",
            text,
            labels,
            registry=self._registry,
            multiprocess_mode=mode,  # type: ignore[arg-type]  # one of its literals
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"greenroom_{name}", text, labels, registry=self._registry)

    def set_build(self, version: str) -> None:
        self.build.labels(version, platform.python_version()).set(1)

    def set_rooms(self, sizes: Mapping[str, int]) -> None:
        for kind in {*sizes, *(key[1] for key in self._seen if key[0] == "room")}:
            self._seen["room", kind] = sizes.get(kind, 0)
            self.rooms.labels(kind).set(sizes.get(kind, 0))

    def set_pool(self, name: str, pool: Any) -> None:  # WatchedPool, or what tests put there
        self.pool_size.labels(name).set(pool.size())
        self.pool_used.labels(name).set(pool.checkedout())
        self.advance(self.pool_waits.labels(name), ("waits", name), pool.waits)
        self.advance(self.pool_waited.labels(name), ("waited", name), pool.waited_s)

    def advance(self, counter: Counter, key: tuple[str, ...], total: float) -> None:
        """Count what was added since the last time; a smaller total has begun anew."""
        before = self._seen.get(key, 0)
        counter.inc(total - before if total >= before else total)
        self._seen[key] = total
