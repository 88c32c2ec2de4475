"""How a process lets itself be watched from outside; nothing of it is there unless configured."""

import asyncio
import os
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.middleware import Middleware

from app.core.config import Settings
from app.core.database import Database
from app.core.meters import MULTIPROC, SILENT, Meters
from app.core.own_spans import fingerprint
from app.core.watchers import Watcher
from app.middleware.own_spans import OwnSpansMiddleware
from app.middleware.watching import WatchMiddleware

if TYPE_CHECKING:
    from app.core.metrics_server import MetricsServer
    from app.core.prometheus import PrometheusMeters
    from app.services.sampling import Sampler, Watched


def make_meters(settings: Settings) -> Meters:
    """Those of Prometheus where METRICS_TOKEN is set; else nothing of it is even imported."""
    if settings.metrics_token is None:
        return SILENT
    if settings.prometheus_multiproc_dir is not None:
        settings.prometheus_multiproc_dir.mkdir(parents=True, exist_ok=True)
        # The library looks at its import whether processes share, and where.
        os.environ[MULTIPROC] = str(settings.prometheus_multiproc_dir)
    from app.core.prometheus import PrometheusMeters

    return PrometheusMeters(settings.version)


def prometheus_of(meters: Meters) -> "PrometheusMeters | None":
    """Those that count, if any."""
    return None if type(meters) is Meters else meters  # type: ignore[return-value]  # the only kind


def watchers_of(settings: Settings) -> list[Watcher]:
    """Nothing of what is not configured is even imported."""
    found: list[Watcher] = []
    if settings.sentry_dsn is not None:
        from app.core.error_tracking import ErrorTracking

        found.append(ErrorTracking(settings))
    if settings.otlp_endpoint is not None:
        from app.core.tracing import Tracing

        found.append(Tracing(settings))
    return found


class Observers:
    """What watches one process: told to start with its event loop, and to stop with it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.meters = make_meters(settings)
        self.watchers = watchers_of(settings)
        self._sampler: Sampler | None = None
        self._server: MetricsServer | None = None

    def around_requests(self) -> list[Middleware]:
        return [Middleware(WatchMiddleware, watchers=self.watchers)] if self.watchers else []

    def inside_requests(self) -> list[Middleware]:
        if self.settings.otlp_endpoint is None:
            return []
        return [Middleware(OwnSpansMiddleware, fingerprint=fingerprint(self.settings))]

    def watch_database(self, database: Database) -> None:
        """Tell of its statements whoever wants to know."""
        for watcher in self.watchers:
            for engine in database.engines:
                watcher.statements_of(engine.sync_engine)

    def watch_web(self, app: FastAPI) -> None:
        """Serve what is counted at /metrics, for who has METRICS_TOKEN."""
        state = app.state
        self.watch_database(state.database)
        meters = prometheus_of(self.meters)
        if meters is None:
            return
        from app.api import metrics
        from app.services.sampling import Watched

        state.ingest_queue.meters = meters
        watched = Watched(state.database, state.rooms, state.ingest_queue, state.rate_limits)
        sampler = self._sample(meters, watched)
        state.scrapes = metrics.Scrapes(state.database, meters, sampler)
        app.include_router(metrics.router)

    def watch_worker(self, database: Database) -> None:
        """Serve it at WORKER_METRICS_PORT, where that is set."""
        self.watch_database(database)
        meters, token = prometheus_of(self.meters), self.settings.metrics_token
        if meters is None or token is None:
            return
        from app.core.metrics_server import MetricsServer
        from app.core.rate_limits import RateLimits
        from app.services.sampling import Watched

        self._sample(meters, Watched(database))
        if self.settings.worker_metrics_port:
            limits = RateLimits(self.settings)
            self._server = MetricsServer(meters.exposition, token.get_secret_value(), limits)
            self._server.start(self.settings.host, self.settings.worker_metrics_port)

    def _sample(self, meters: "PrometheusMeters", watched: "Watched") -> "Sampler":
        from app.services.sampling import Sampler

        self._sampler = Sampler(meters, watched)
        return self._sampler

    def start(self) -> None:
        if self._sampler is not None:
            self._sampler.start()

    def before_fork(self) -> None:
        for watcher in self.watchers:
            watcher.before_fork()

    async def stop(self) -> None:
        if self._sampler is not None:
            await self._sampler.stop()
        if self._server is not None:
            await asyncio.to_thread(self._server.stop)
        for watcher in self.watchers:
            await asyncio.to_thread(watcher.close)
