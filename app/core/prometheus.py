"""Prometheus metrics of this process, or of all processes that share a folder for them.

Imported only where METRICS_TOKEN is set: ``prometheus_client`` decides at its import, by
PROMETHEUS_MULTIPROC_DIR, whether processes share.
"""

import os
from collections.abc import Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from app.core.meters import MULTIPROC, Meters

METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
OTHER = "other"  # whoever invents methods invents no series
REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15)
JOB_SECONDS = (0.05, 0.25, 1, 5, 15, 60, 300, 1800)
MERGE_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15)
LAG_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class RequestMeters:
    """HTTP, by the route's template, the method, and the class of the status."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.ended = Counter(
            "greenroom_http_requests",
            "Requests answered, by method, route and class of the status.",
            ("method", "route", "status"),
            registry=registry,
        )
        self.seconds = Histogram(
            "greenroom_http_request_duration_seconds",
            "Seconds from a request's arrival to the end of its answer.",
            ("method", "route"),
            buckets=REQUEST_SECONDS,
            registry=registry,
        )
        self.in_flight = Gauge(
            "greenroom_http_requests_in_flight",
            "Requests that are being answered.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        # Looking a series up by its labels costs more than counting in it.
        self._ended: dict[tuple[str, str, str], Counter] = {}
        self._seconds: dict[tuple[str, str], Histogram] = {}

    def count(self, method: str, route: str, status: str) -> None:
        key = (method, route, status)
        child = self._ended.get(key)
        if child is None:
            child = self._ended[key] = self.ended.labels(*key)
        child.inc()

    def observe(self, method: str, route: str, seconds: float) -> None:
        key = (method, route)
        child = self._seconds.get(key)
        if child is None:
            child = self._seconds[key] = self.seconds.labels(*key)
        child.observe(seconds)


class WorkMeters:
    """Jobs and chores, where they are done."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.jobs = Counter(
            "greenroom_job_attempts",
            "Attempts at jobs, by kind and outcome.",
            ("kind", "outcome"),
            registry=registry,
        )
        self.job_seconds = Histogram(
            "greenroom_job_duration_seconds",
            "Seconds that attempts at jobs took.",
            ("kind",),
            buckets=JOB_SECONDS,
            registry=registry,
        )
        self.chores = Counter(
            "greenroom_chores",
            "Work by the clock, by its name and whether it was done.",
            ("chore", "outcome"),
            registry=registry,
        )


class IngestMeters:
    """What runtimes send by OpenTelemetry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.batches = Counter(
            "greenroom_ingest_batches",
            "Requests of runtimes, by what became of them.",
            ("outcome",),
            registry=registry,
        )
        self.spans = Counter(
            "greenroom_ingest_spans",
            "Spans and events sent by runtimes, by what became of them.",
            ("outcome",),
            registry=registry,
        )
        self.merge_seconds = Histogram(
            "greenroom_ingest_merge_duration_seconds",
            "Seconds that it took to store what was stored together.",
            buckets=MERGE_SECONDS,
            registry=registry,
        )


class PrometheusMeters(Meters):
    """Counts in a registry of its own; several processes share by their folder."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.registry = registry = CollectorRegistry()
        self.requests = RequestMeters(registry)
        self.work = WorkMeters(registry)
        self.ingest = IngestMeters(registry)
        self.lag = Histogram(
            "greenroom_event_loop_lag_seconds",
            "Seconds by which the event loop was late for a timer.",
            buckets=LAG_SECONDS,
            registry=registry,
        )
        if MULTIPROC not in os.environ:
            ProcessCollector(registry=registry)
            GCCollector(registry=registry)

    def request_began(self) -> None:
        self.requests.in_flight.inc()

    def request_ended(self, method: str, route: str, status: int | None, seconds: float) -> None:
        self.requests.in_flight.dec()
        method = method if method in METHODS else OTHER
        self.requests.count(method, route, class_of(status))
        self.requests.observe(method, route, seconds)

    def socket_ended(self, route: str, status: int | None) -> None:
        self.requests.count("WS", route, class_of(status))

    def job_ended(self, kind: str, outcome: str, seconds: float) -> None:
        self.work.jobs.labels(kind, outcome).inc()
        self.work.job_seconds.labels(kind).observe(seconds)

    def chore_ended(self, name: str, seconds: float, *, is_done: bool) -> None:
        self.work.chores.labels(name, "done" if is_done else "failed").inc()

    def batches_stored(self, batches: int, spans: int, rejected: int, seconds: float) -> None:
        self.ingest.batches.labels("stored").inc(batches)
        self.ingest.spans.labels("accepted").inc(spans)
        self.ingest.spans.labels("rejected").inc(rejected)
        self.ingest.merge_seconds.observe(seconds)

    def batch_refused(self) -> None:
        self.ingest.batches.labels("refused").inc()

    def exposition(self, *others: Metric) -> bytes:
        """Everything in the text format, with what was just read elsewhere."""
        own = self.registry
        if MULTIPROC in os.environ:
            own = CollectorRegistry()
            MultiProcessCollector(own)  # type: ignore[no-untyped-call]  # the library's
        return generate_latest(own) + generate_latest(Fixed(others))


class Fixed(Collector):
    """Just these metrics."""

    def __init__(self, metrics: tuple[Metric, ...]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


def class_of(status: int | None) -> str:
    """``2xx``; ``none`` for a request whose client left before it was answered."""
    return "none" if status is None else f"{status // 100}xx"
