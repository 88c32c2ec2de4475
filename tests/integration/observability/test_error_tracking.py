"""Unexpected errors reach Sentry, and nothing that is nobody's business does."""

import socket
from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest
import sentry_sdk
import structlog
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.core import error_tracking
from app.core.config import Settings
from app.core.database import Database
from app.core.embedded_postgres import EmbeddedPostgres
from app.exceptions import Unavailable
from app.jobs.context import JobContext
from app.jobs.registry import Handled
from app.main import create_app
from app.models import JobKind, User
from tests.conftest import actor_for, client_of, furnished, settings_for
from tests.factories.jobs import make_job
from tests.jobs import work_off
from tests.sentry import PUBLIC_KEY, SentryServer, sentry

ID = "caller-0123456789"
log = structlog.get_logger("greenroom.test")


async def break_off(item_id: int) -> None:
    password = "canary-local"
    log.info("before", note="Bearer canary-breadcrumb", token="canary-token", count=item_id)
    raise RuntimeError(f"cannot reach redis://x:canary-address@cache for {len(password)}")


async def refuse() -> None:
    try:
        raise Unavailable("The database cannot be reached.")
    except Unavailable:
        log.exception("known")
        raise


@pytest.fixture(scope="module")
def server() -> Iterator[SentryServer]:
    with sentry() as server:
        yield server


@pytest.fixture(scope="module")
async def tracked(
    postgres: EmbeddedPostgres, shared_database: str, engine: AsyncEngine, server: SentryServer
) -> AsyncIterator[FastAPI]:
    settings = settings_for(
        postgres.url(shared_database),
        sentry_dsn=SecretStr(server.dsn),
        sentry_traces_sample_rate=1.0,
        sentry_environment="tests",
    )
    app = create_app(settings, Database(engine))
    app.add_api_route("/api/v1/break/{item_id}", break_off, methods=["POST"])
    app.add_api_route("/api/v1/refuse", refuse)
    yield app
    await app.state.observers.stop()


@pytest.fixture
def app(tracked: FastAPI, settings: Settings, database: Database, server: SentryServer) -> FastAPI:
    server.bodies.clear()
    return furnished(tracked, settings, database)


async def broken(client: httpx2.AsyncClient, item_id: int = 7) -> httpx2.Response:
    return await client.post(
        f"/api/v1/break/{item_id}?token=canary-query",
        headers={
            "X-Correlation-ID": ID,
            "Authorization": "Bearer canary-bearer",
            "Cookie": "greenroom=canary-cookie",
            "X-API-Key": "gr_canarykey0123456789",
            "User-Agent": "canary-agent",
            "Sec-Fetch-Site": "same-origin",
        },
        json={"password": "canary-body"},
    )


async def test_unexpected_error_is_reported_under_the_id_of_the_request(
    client: httpx2.AsyncClient, server: SentryServer
) -> None:
    assert (await broken(client)).status_code == 500
    [event] = server.events()
    assert event["tags"]["request_id"] == ID
    assert (event["environment"], event["release"]) == ("tests", "greenroom@0.1.0")
    [error] = event["exception"]["values"]
    assert error["type"] == "RuntimeError"
    assert error["stacktrace"]["frames"][-1]["function"] == "break_off"
    [line] = [crumb for crumb in event["breadcrumbs"]["values"] if crumb["message"] == "before"]
    assert line["data"]["count"] == 7


async def test_nothing_is_being_sent_any_more_when_a_process_is_copied(
    app: FastAPI, client: httpx2.AsyncClient, server: SentryServer
) -> None:
    await broken(client)
    app.state.observers.before_fork()
    assert len(server.items("event")) == 1


async def test_report_and_transaction_hold_nothing_personal_or_secret(
    client: httpx2.AsyncClient, server: SentryServer
) -> None:
    await broken(client)
    server.events()
    sentry_sdk.flush()
    [transaction] = server.items("transaction")
    assert transaction["transaction"] == "POST /api/v1/break/{item_id}"
    assert transaction["tags"]["request_id"] == ID
    for item in [*server.items("event"), *server.items("transaction")]:
        assert not item.keys() & {"request", "user", "server_name", "modules"}
        for error in item.get("exception", {}).get("values", ()):
            for frame in error["stacktrace"]["frames"]:
                assert "vars" not in frame
                for name in ("context_line", "pre_context", "post_context"):
                    frame.pop(name, None)
        assert "canary" not in str(item)
        assert "127.0.0.1" not in str(item)


async def test_lines_of_one_request_are_not_in_the_report_of_another(
    client: httpx2.AsyncClient, server: SentryServer
) -> None:
    await broken(client, 1)
    await broken(client, 2)
    second = server.events(2)[1]
    counts = [crumb["data"].get("count") for crumb in second["breadcrumbs"]["values"]]
    assert 2 in counts
    assert 1 not in counts


async def test_our_own_errors_are_not_reported(
    client: httpx2.AsyncClient, server: SentryServer
) -> None:
    assert (await client.get("/api/v1/refuse")).status_code == 503
    assert (await client.get("/api/v1/agents/7")).status_code == 401
    await broken(client)
    assert [event["tags"]["method"] for event in server.events()] == ["POST"]


async def test_job_that_breaks_is_reported_with_its_number(
    app: FastAPI,
    session: AsyncSession,
    staff: User,
    server: SentryServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(_: JobContext) -> None:
        raise LookupError("nothing there")

    monkeypatch.setattr("tests.jobs.HANDLED", [Handled(JobKind.ANALYZE_AGENT, fail)])
    job = await make_job(session, actor_for(staff))
    await session.commit()
    await work_off(app, rounds=1)
    [event] = server.events()
    assert (event["tags"]["job"], event["tags"]["kind"]) == (str(job.id), "analyze_agent")
    assert event["exception"]["values"][0]["type"] == "LookupError"


async def test_server_that_hangs_holds_up_neither_requests_nor_the_end(
    settings: Settings, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(error_tracking, "SENT_WITHIN_S", 0.2)
    with socket.socket() as silent:  # accepts, and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        dsn = f"http://{PUBLIC_KEY}@127.0.0.1:{silent.getsockname()[1]}/7"
        changed = settings.model_copy(update={"sentry_dsn": SecretStr(dsn)})
        app = create_app(changed, Database(engine))
        app.add_api_route("/api/v1/break/{item_id}", break_off, methods=["POST"])
        async with client_of(app) as client:
            assert (await broken(client)).status_code == 500
        await app.state.observers.stop()
