"""What Prometheus reads, and who may."""

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.core.config import PROJECT_ROOT, Settings
from app.core.database import Database
from app.core.embedded_postgres import EmbeddedPostgres
from app.core.metrics_server import MetricsServer
from app.core.rate_limits import RateLimits
from app.exceptions import Conflict
from app.main import create_app
from app.models import JobKind, JobStatus, User
from app.services.ingestion.otlp import JSON
from tests.conftest import actor_for, client_of, furnished, settings_for
from tests.factories.clients import key_headers
from tests.factories.jobs import make_job
from tests.jobs import work_off
from tests.otlp.requests import encoded, make_span

TOKEN = "a-token-for-prometheus"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
Series = Mapping[str, str]


def scraped(exposition: str) -> dict[str, list[tuple[Series, float]]]:
    """Every sample by its name, as Prometheus parses it."""
    found: dict[str, list[tuple[Series, float]]] = {}
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def value(exposition: str, name: str, **labels: str) -> float:
    """Of the series with at least these labels; 0 for one that is not there."""
    series = scraped(exposition).get(name, [])
    return sum(number for given, number in series if labels.items() <= given.items())


@pytest.fixture(scope="module")
def metered(postgres: EmbeddedPostgres, shared_database: str, engine: AsyncEngine) -> FastAPI:
    url = postgres.url(shared_database)
    settings = settings_for(url, metrics_token=SecretStr(TOKEN))
    return create_app(settings, Database(engine))


@pytest.fixture
def app(metered: FastAPI, settings: Settings, database: Database) -> FastAPI:
    token = {"metrics_token": SecretStr(TOKEN)}
    app = furnished(metered, settings.model_copy(update=token), database)
    app.state.ingest_queue.meters = app.state.observers.meters
    app.state.scrapes._database = database
    app.state.scrapes._read_at = float("-inf")
    return app


async def read(client: httpx2.AsyncClient) -> str:
    answer = await client.get("/metrics", headers=BEARER)
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_there_are_none_unless_configured(built_app: FastAPI, settings: Settings) -> None:
    assert settings.metrics_token is None
    async with client_of(built_app) as client:
        assert (await client.get("/metrics", headers=BEARER)).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer a-token-for-prometheux"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}é".encode()},
        {"X-API-Key": TOKEN},
    ],
)
async def test_only_who_has_the_token_reads_them(
    client: httpx2.AsyncClient, headers: dict[str, Any]
) -> None:
    answer = await client.get("/metrics", headers=headers)
    assert answer.status_code == 401
    assert "greenroom_" not in answer.text


async def test_guessing_the_token_ends(client: httpx2.AsyncClient, app: FastAPI) -> None:
    limit = app.state.settings.rate_limit_refused_per_minute
    for number in range(limit):
        await client.get("/metrics", headers={"Authorization": f"Bearer {number}"})
    assert (await client.get("/metrics", headers={"Authorization": "Bearer x"})).status_code == 429


async def test_requests_are_counted_by_template_whatever_is_asked(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    before = await read(client)
    client.headers.update(await key_headers(session, staff))
    for number in range(20):
        await client.get(f"/api/v1/agents/{number}")
        await client.get(f"/no-such-page-{number}")
        await client.request(f"METHOD{number}", "/api/v1/agents")
    after = await read(client)
    route = {"method": "GET", "route": "/api/v1/agents/{agent_id}", "status": "4xx"}
    name = "greenroom_http_requests_total"
    assert value(after, name, **route) - value(before, name, **route) == 20
    nowhere = {"method": "GET", "route": "none", "status": "4xx"}
    assert value(after, name, **nowhere) - value(before, name, **nowhere) == 20
    assert value(after, name, method="other") - value(before, name, method="other") == 20
    assert "no-such-page" not in after
    assert "METHOD" not in after
    count = "greenroom_http_request_duration_seconds_count"
    assert value(after, count, route="/api/v1/agents/{agent_id}") >= 20
    assert value(after, "greenroom_http_requests_in_flight") == 1  # the one that reads
    assert value(after, "greenroom_build_info") == 1


async def test_pools_and_sockets_are_told(client: httpx2.AsyncClient, app: FastAPI) -> None:
    found = await read(client)
    pool = app.state.database.engine.pool
    assert value(found, "greenroom_pool_size", pool="work") == pool.size()
    assert value(found, "greenroom_pool_in_use", pool="work") == 1
    assert value(found, "greenroom_sockets_open") == 0
    assert value(found, "greenroom_ingest_held_max_bytes") > 0
    assert value(found, "greenroom_database_up") == 1


async def test_queue_and_outcomes_of_jobs_are_told(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    actor = actor_for(staff)
    await make_job(session, actor)
    await make_job(session, actor, status=JobStatus.FAILED, kind=JobKind.RECOMPUTE_COSTS)
    later = text("UPDATE pgqueuer.queue SET execute_after = clock_timestamp() - interval '90 s'")
    await session.execute(later)
    await session.commit()
    found = await read(client)
    assert value(found, "greenroom_queue_readable") == 1
    assert value(found, "greenroom_queue_jobs", kind="analyze_agent", state="due") == 1
    assert value(found, "greenroom_queue_oldest_wait_seconds", kind="analyze_agent") >= 90
    assert value(found, "greenroom_jobs_dead", kind="recompute_costs") == 1
    assert value(found, "greenroom_webhook_endpoints", state="failing") == 0


async def test_outcomes_of_jobs_are_counted(
    client: httpx2.AsyncClient, app: FastAPI, session: AsyncSession, staff: User
) -> None:
    await make_job(session, actor_for(staff))  # of no agent: it cannot be done
    await session.commit()
    await work_off(app)
    found = await read(client)
    assert value(found, "greenroom_job_attempts_total", kind="analyze_agent", outcome="failed") == 1
    assert value(found, "greenroom_job_duration_seconds_count", kind="analyze_agent") == 1


async def test_spans_are_counted_as_accepted_and_rejected(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    headers = await key_headers(session, staff)
    before = await read(client)
    spans = [make_span(1), make_span(2, trace=2), make_span(3, trace=3, start_ns=0, end_ns=0)]
    request = encoded(spans, JSON)
    request["headers"] |= headers
    assert (await client.post("/v1/traces", **request)).status_code == 200
    after = await read(client)
    name = "greenroom_ingest_spans_total"
    accepted, rejected = ({"outcome": outcome} for outcome in ("accepted", "rejected"))
    assert value(after, name, **accepted) - value(before, name, **accepted) == 2
    assert value(after, name, **rejected) - value(before, name, **rejected) == 1
    assert value(after, "greenroom_ingest_batches_total", outcome="stored") >= 1
    assert value(after, "greenroom_ingest_merge_duration_seconds_count") >= 1


async def test_process_is_told_of_while_the_database_is_gone() -> None:
    url = "postgresql+asyncpg://nobody@127.0.0.1:1/nothing"
    app = create_app(settings_for(url, metrics_token=SecretStr(TOKEN)))
    async with client_of(app) as client:
        found = await read(client)
    assert value(found, "greenroom_queue_readable") == 0
    assert value(found, "greenroom_pool_size", pool="reads") == 2


def test_worker_serves_its_own_to_who_has_the_token(settings: Settings) -> None:
    limits = RateLimits(settings.model_copy(update={"rate_limit_refused_per_minute": 2}))
    server = MetricsServer(lambda: b"greenroom_x 1\n", TOKEN, limits)
    server.start("127.0.0.1", 0)
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
            assert client.get("/metrics").status_code == 401
            assert client.get("/", headers=BEARER).status_code == 404
            assert client.get("/metrics", headers=BEARER).text == "greenroom_x 1\n"
            guesses = [{"Authorization": f"Bearer {number}"} for number in range(2)]
            said = [client.get("/metrics", headers=guess) for guess in guesses]
            assert [each.status_code for each in said] == [401, 429], "as on the web"
            assert said[1].headers["Retry-After"] == "60"
            assert client.get("/metrics", headers=BEARER).status_code == 429
        with pytest.raises(Conflict, match="WORKER_METRICS_PORT"):
            MetricsServer(bytes, TOKEN, limits).start("127.0.0.1", server.port)
    finally:
        server.stop()


TWO_PROCESSES = """
import os, sys
from pathlib import Path
from pydantic import SecretStr
from app.core.config import Settings
from app.observing import make_meters
from app.core.shared_metrics import empty, forget
folder = Path(sys.argv[1])
(folder / "counter_1.db").write_bytes(b"of a time before")
empty(folder)
meters = make_meters(Settings(_env_file=None, metrics_token=SecretStr("x" * 16),
                              prometheus_multiproc_dir=folder))
for _ in range(2):
    if os.fork() == 0:
        meters.request_began()
        meters.request_ended("GET", "/agents", 200, 0.02)
        meters.request_began()
        os._exit(0)
    forget(folder, os.wait()[0])
print(meters.exposition().decode())
"""


def test_processes_that_share_a_folder_answer_for_each_other(tmp_path: str) -> None:
    said = subprocess.run(
        [sys.executable, "-c", TWO_PROCESSES, str(tmp_path)],
        cwd=PROJECT_ROOT,
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert value(said, "greenroom_http_requests_total", route="/agents", status="2xx") == 2
    assert value(said, "greenroom_http_request_duration_seconds_count", route="/agents") == 2
    in_flight = value(said, "greenroom_http_requests_in_flight")
    assert in_flight == 0, "processes that ended answer nothing any more"
