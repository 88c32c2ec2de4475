"""Our own spans, exported by OTLP over HTTP. Imported only where OTLP_ENDPOINT is set.

Each attribute is named here. The instrumentations that others maintain are not used, because they
put query strings and the messages of database errors into spans.
"""

import os
import platform
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from sqlalchemy import Engine, event

from app.core.config import Settings
from app.core.own_spans import export_headers, traces_url
from app.core.watchers import TRAIL, SeenJob, SeenRequest, Trail, Watcher

W3C = TraceContextTextMapPropagator()
MAX_WAITING, AT_ONCE, EVERY_MS = 4_096, 512, 2_000
SENT_WITHIN_S, CLOSED_WITHIN_S = 5.0, 2.0
MAX_STATEMENT = 2_000


def exporter_of(settings: Settings) -> OTLPSpanExporter:
    return OTLPSpanExporter(
        traces_url(settings.otlp_endpoint or ""),
        headers=export_headers(settings),
        timeout=SENT_WITHIN_S,
        compression=Compression.Gzip,
    )


def provider_of(settings: Settings) -> TracerProvider:
    resource = Resource.create(
        {
            "service.name": settings.otlp_service_name,
            "service.version": settings.version,
            "service.instance.id": f"{platform.node()}:{os.getpid()}",
            "deployment.environment.name": settings.environment.value,
        }
    )
    share = TraceIdRatioBased(settings.otlp_sample_rate)
    # Whoever calls us may ask for a trace of theirs to go on; it costs no more than our share.
    sampler = ParentBased(share, remote_parent_sampled=share)
    provider = TracerProvider(sampler, resource, shutdown_on_exit=False)
    # What nobody takes is dropped once so much waits: no request waits for an export.
    exporting = BatchSpanProcessor(
        exporter_of(settings),
        max_queue_size=MAX_WAITING,
        schedule_delay_millis=EVERY_MS,
        max_export_batch_size=AT_ONCE,
    )
    provider.add_span_processor(exporting)
    return provider


class SpanTrail(Trail):
    """That of a span of ours."""

    def __init__(self, tracer: trace.Tracer, context: Context) -> None:
        self._tracer = tracer
        self._context = context

    @property
    def traceparent(self) -> str | None:
        carrier: dict[str, str] = {}
        W3C.inject(carrier, self._context)
        return carrier.get("traceparent")

    @contextmanager
    def call(self, method: str, host: str) -> Iterator[Mapping[str, str]]:
        span = self._tracer.start_span(
            f"{method} {host}",
            self._context,
            SpanKind.CLIENT,
            {"http.request.method": method, "server.address": host},
        )
        carrier: dict[str, str] = {}
        W3C.inject(carrier, trace.set_span_in_context(span, self._context))
        try:
            yield carrier
        except BaseException as error:
            failed(span, error)
            raise
        finally:
            span.end()


def failed(span: Span, error: BaseException) -> None:
    """Its kind only: messages repeat what they were given."""
    span.set_attribute("error.type", type(error).__name__)
    span.set_status(Status(StatusCode.ERROR))


class Tracing(Watcher):
    """A span for each request, attempt at a job, statement and call to another server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def _provider(self) -> TracerProvider:
        """Made at the first request: a server may build the app before it forks."""
        return provider_of(self._settings)

    @cached_property
    def _tracer(self) -> trace.Tracer:
        return self._provider.get_tracer("greenroom", self._settings.version)

    @contextmanager
    def request(self, seen: SeenRequest) -> Iterator[None]:
        if seen.takes_spans:
            yield
            return
        parent = W3C.extract(seen.headers, Context())
        with self._following(seen.method, parent, SpanKind.SERVER) as span:
            seen.facts["trace_id"] = trace.format_trace_id(span.get_span_context().trace_id)
            try:
                yield
            finally:
                span.update_name(f"{seen.method} {seen.route}")
                span.set_attribute("http.request.method", seen.method)
                span.set_attribute("http.route", seen.route)
                span.set_attribute("greenroom.request_id", seen.request_id or "")
                if seen.status is not None:
                    span.set_attribute("http.response.status_code", seen.status)
                if seen.status is None or seen.status >= 500:
                    span.set_status(Status(StatusCode.ERROR))

    @contextmanager
    def job(self, seen: SeenJob) -> Iterator[None]:
        carrier = {"traceparent": seen.traceparent} if seen.traceparent else {}
        parent = W3C.extract(carrier, Context())
        with self._following(f"job {seen.kind}", parent, SpanKind.CONSUMER) as span:
            span.set_attribute("greenroom.job.kind", seen.kind)
            span.set_attribute("greenroom.job.id", seen.job_id)
            span.set_attribute("greenroom.job.attempt", seen.number)
            try:
                yield
            finally:
                span.set_attribute("greenroom.job.outcome", seen.outcome)
                if seen.outcome not in ("succeeded", "cancelled"):
                    span.set_status(Status(StatusCode.ERROR))

    @contextmanager
    def _following(self, name: str, parent: Context, kind: SpanKind) -> Iterator[Span]:
        span = self._tracer.start_span(name, parent, kind)
        context = trace.set_span_in_context(span, parent)
        token = TRAIL.set(SpanTrail(self._tracer, context))
        try:
            with trace.use_span(span, record_exception=False, set_status_on_exception=False):
                yield span
        finally:
            TRAIL.reset(token)
            span.end()

    def statements_of(self, engine: Engine) -> None:
        """A span for each statement of a request or a job, without its parameters."""
        event.listen(engine, "before_cursor_execute", self._begin)
        event.listen(engine, "after_cursor_execute", end_statement)
        event.listen(engine, "handle_error", fail_statement)

    def _begin(self, _c: Any, _cursor: Any, statement: str, _p: Any, context: Any, _m: Any) -> None:
        if not trace.get_current_span().is_recording():
            return  # a trace that is not kept; or a chore: they ask all the time, nobody waits
        verb = statement.split(None, 1)[0].upper() if statement else "SQL"
        context.greenroom_span = self._tracer.start_span(
            verb,
            kind=SpanKind.CLIENT,
            attributes={
                "db.system.name": "postgresql",
                "db.operation.name": verb,
                "db.query.text": statement[:MAX_STATEMENT],
            },
        )

    def close(self) -> None:
        """Send what waits. Whoever hangs is not waited for: the thread is of no more use."""
        if "_provider" not in vars(self):
            return  # nothing was ever followed
        ending = threading.Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(CLOSED_WITHIN_S)

    def flush(self) -> None:
        """Send what waits now."""
        self._provider.force_flush()


def end_statement(_c: Any, _cursor: Any, _s: str, _p: Any, context: Any, _m: Any) -> None:
    span = getattr(context, "greenroom_span", None)
    if span is not None:
        span.end()


def fail_statement(broken: Any) -> None:  # SQLAlchemy's ExceptionContext
    span = getattr(broken.execution_context, "greenroom_span", None)
    if span is not None:
        failed(span, broken.original_exception)
        span.end()
