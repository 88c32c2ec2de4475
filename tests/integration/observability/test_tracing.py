"""Our own spans go where OTLP_ENDPOINT says, tell no secret, and never come back to us."""

import socket
from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest
from fastapi import FastAPI, Request
from pydantic import SecretStr, ValidationError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.core import tracing
from app.core.config import Settings
from app.core.database import Database
from app.core.embedded_postgres import EmbeddedPostgres
from app.core.outbound import Outbound, OutboundRequest
from app.core.own_spans import EXPORT_HEADER, fingerprint
from app.main import create_app
from app.models import User
from app.services.ingestion.otlp import JSON
from tests.conftest import actor_for, client_of, furnished, settings_for
from tests.factories.agents import make_agent
from tests.factories.clients import key_headers
from tests.jobs import work_off
from tests.logs import logging_to
from tests.loopback import LoopbackServer
from tests.otlp.collector import Collector, attributes_of, collecting
from tests.otlp.requests import encoded, make_span
from tests.receiver import LOOPBACK, Receiver

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CALLER = {"traceparent": f"00-{TRACE}-{PARENT}-01"}


async def call_out(request: Request) -> None:
    """Asks the database, which refuses, and another server."""
    database: Database = request.app.state.database
    try:
        async with database.looking() as session:
            await session.execute(text("SELECT CAST(:x AS integer)"), {"x": "canary-parameter"})
    except Exception:  # noqa: BLE001, S110  (what becomes of its span is the question)
        pass
    url = request.headers["x-url"]
    await Outbound(LOOPBACK).send(OutboundRequest("POST", url, timeout_s=5))


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
async def traced(
    postgres: EmbeddedPostgres, shared_database: str, engine: AsyncEngine, collector: Collector
) -> AsyncIterator[FastAPI]:
    settings = settings_for(
        postgres.url(shared_database),
        otlp_endpoint=collector.url,
        otlp_headers=SecretStr("authorization=Bearer canary-otlp"),
    )
    app = create_app(settings, Database(engine))
    app.add_api_route("/api/v1/call-out", call_out)
    yield app
    await app.state.observers.stop()


@pytest.fixture
def app(traced: FastAPI, settings: Settings, database: Database, collector: Collector) -> FastAPI:
    flush(traced)
    collector.clear()
    return furnished(traced, settings, database)


def flush(app: FastAPI) -> None:
    [watcher] = app.state.observers.watchers
    assert isinstance(watcher, tracing.Tracing)
    watcher.flush()


async def test_request_and_its_statements_are_spans_of_the_callers_trace(
    client: httpx2.AsyncClient,
    app: FastAPI,
    session: AsyncSession,
    staff: User,
    settings: Settings,
    collector: Collector,
) -> None:
    client.headers.update(await key_headers(session, staff))
    with logging_to(settings) as written:
        answer = await client.get("/api/v1/agents/123456?q=canary-query", headers=CALLER)
    flush(app)
    [request] = collector.named("GET /api/v1/agents/{agent_id}")
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, PARENT)
    assert attributes_of(request.attributes) == {
        "http.request.method": "GET",
        "http.route": "/api/v1/agents/{agent_id}",
        "http.response.status_code": 404,
        "greenroom.request_id": answer.headers["X-Correlation-ID"],
    }
    statements = [span for span in collector.named("SELECT") if span.trace_id == request.trace_id]
    assert any("agents" in str(span.attributes) for span in statements)
    assert b"canary-query" not in b"".join(collector.bodies)
    assert b"123456" not in b"".join(collector.bodies)
    assert {line["trace_id"] for line in written.said("request")} == {TRACE}
    assert collector.resource["service.name"] == "greenroom"
    assert {"service.version", "service.instance.id"} <= collector.resource.keys()
    assert collector.headers[0]["authorization"] == "Bearer canary-otlp"


async def test_trace_goes_on_in_servers_that_are_called(
    client: httpx2.AsyncClient, app: FastAPI, collector: Collector
) -> None:
    receiver = Receiver()
    with LoopbackServer(receiver) as server:
        await client.get("/api/v1/call-out", headers={**CALLER, "x-url": f"{server.url}/hook"})
    flush(app)
    [called] = collector.named("POST 127.0.0.1")
    received = receiver.received[0].headers["traceparent"]
    assert received == f"00-{TRACE}-{called.span_id.hex()}-01"
    [refused] = [span for span in collector.named("SELECT") if span.status.code == 2]
    assert attributes_of(refused.attributes)["db.query.text"].startswith("SELECT CAST($1")
    assert b"canary" not in b"".join(collector.bodies)


async def test_job_is_in_the_trace_of_the_request_that_caused_it(
    client: httpx2.AsyncClient,
    app: FastAPI,
    session: AsyncSession,
    staff: User,
    collector: Collector,
) -> None:
    agent = await make_agent(session, actor_for(staff))
    headers = await key_headers(session, staff) | CALLER
    answer = await client.post(f"/api/v1/agents/{agent.id}/analyze", headers=headers, json={})
    assert answer.status_code == 202
    await work_off(app)
    flush(app)
    [job] = collector.named("job analyze_agent")
    [request] = collector.named("POST /api/v1/agents/{agent_id}/analyze")
    assert (job.trace_id.hex(), job.parent_span_id) == (TRACE, request.span_id)
    assert attributes_of(job.attributes)["greenroom.job.outcome"] == "succeeded"


async def test_taking_spans_in_makes_no_spans_and_takes_none_of_our_own(
    client: httpx2.AsyncClient,
    app: FastAPI,
    session: AsyncSession,
    staff: User,
    collector: Collector,
) -> None:
    headers = await key_headers(session, staff)
    flush(app)
    collector.clear()
    request = encoded([make_span(1)], JSON)
    request["headers"] |= headers
    assert (await client.post("/v1/traces", **request)).status_code == 200
    own = fingerprint(app.state.observers.settings)
    request["headers"][EXPORT_HEADER] = own
    refused = await client.post("/v1/traces", **request)
    assert refused.status_code == 400
    assert "OTLP_ENDPOINT" in refused.text
    flush(app)
    assert collector.spans == []


async def test_every_export_says_whose_it_is(
    client: httpx2.AsyncClient, app: FastAPI, collector: Collector
) -> None:
    await client.get("/login")
    flush(app)
    assert collector.headers[0][EXPORT_HEADER] == fingerprint(app.state.observers.settings)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://127.0.0.1:8000",
        "http://localhost:8000/v1/traces",
        "http://[::1]:8000",
        "http://0.0.0.0:8000",
        "https://greenroom.example.com",
        "https://greenroom.example.com:443/",
        "http://other.example.com:8000",
    ],
)
def test_own_address_is_no_endpoint(endpoint: str) -> None:
    with pytest.raises(ValidationError, match="must not be this installation itself"):
        Settings(
            _env_file=None,
            public_origin="https://greenroom.example.com",
            allowed_hosts=["other.example.com"],
            otlp_endpoint=endpoint,
        )


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:4318", "https://otel.example.com", "http://collector:8000"]
)
def test_other_address_is_one(endpoint: str) -> None:
    settings = Settings(_env_file=None, otlp_endpoint=endpoint)
    assert settings.otlp_endpoint == endpoint


async def test_collector_that_hangs_holds_up_neither_requests_nor_the_end(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "CLOSED_WITHIN_S", 0.2)
    with socket.socket() as silent:  # accepts, and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        app = create_app(settings.model_copy(update={"otlp_endpoint": url}))
        async with client_of(app) as client:
            assert (await client.get("/login")).status_code == 200
        await app.state.observers.stop()
        await app.state.database.dispose()
