"""One canary of each kind of secret goes through real requests, and is told nowhere (A17)."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from secrets import token_hex

import httpx2
import pytest
import sentry_sdk
import structlog
from fastapi import FastAPI, Request
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.core.config import Settings
from app.core.database import Database
from app.core.embedded_postgres import EmbeddedPostgres
from app.core.mail import Mail, Mailer
from app.core.providers import ModelCall, ModelProvider
from app.core.tracing import Tracing
from app.main import create_app
from app.models import User
from tests.conftest import client_of, furnished, settings_for
from tests.factories.api_keys import make_api_key
from tests.factories.clients import SAME_ORIGIN, log_in
from tests.factories.users import PASSWORD
from tests.factories.webhook_endpoints import make_webhook_endpoint
from tests.logs import logging_to
from tests.otlp.collector import Collector, collecting
from tests.sentry import PUBLIC_KEY, SentryServer, items_of, sentry
from tests.server import free_port

AUTH = "/api/v1/auth"
log = structlog.get_logger("greenroom.test")


def canary(kind: str) -> str:
    """Made anew, or tracebacks would find it in the source of the test."""
    return f"{kind}{token_hex(12)}"


CONFIGURED = {
    "smtp_password": canary("smtp"),
    "openai_api_key": canary("sk-proj-"),
    "metrics_token": canary("metrics"),
    "secret_key": canary("signing") + canary(""),
    "database_password": canary("database"),
    "otlp": canary("otlp"),
}


@dataclass(slots=True)
class World:
    """Who listens, the secrets that were used, and what else was said to clients."""

    sentry: SentryServer
    collector: Collector
    secrets: dict[str, str] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)


async def break_off(request: Request) -> None:
    """What nobody foresaw, while everything secret is at hand and repeated where it can be told."""
    password, body = PASSWORD, await request.body()
    settings: Settings = request.app.state.settings
    told = [f"{name}: {value}" for name, value in request.headers.items()]
    known = settings.smtp_password.get_secret_value() if settings.smtp_password else ""
    raise RuntimeError(f"{told} {known} {settings.database_url} {len(password)} {len(body)}")


async def call_out(request: Request) -> None:
    """To a mail server and a provider that are not there."""
    settings: Settings = request.app.state.settings
    for call in (
        ModelProvider(settings).complete(ModelCall("gpt-4o", [{}]), lambda _: None),
        Mailer(settings).send(Mail("a@example.com", "x", "y", "z")),
    ):
        try:
            await call
        except Exception:
            log.exception("a call failed")


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with sentry() as server, collecting() as collector:
        yield World(server, collector)


def configured(url: str, world: World) -> Settings:
    scheme, _, rest = url.partition("://")
    user, _, place = rest.partition("@")
    secret = {name: SecretStr(value) for name, value in CONFIGURED.items()}
    return settings_for(
        f"{scheme}://{user.partition(':')[0]}:{CONFIGURED['database_password']}@{place}",
        sentry_dsn=SecretStr(world.sentry.dsn),
        sentry_traces_sample_rate=1.0,
        otlp_endpoint=world.collector.url,
        otlp_headers=SecretStr(f"x-api-key={CONFIGURED['otlp']}"),
        smtp_host="127.0.0.1",
        smtp_port=free_port(),
        smtp_username="greenroom",
        openai_base_url=f"http://127.0.0.1:{free_port()}/v1",
        provider_retries=0,
        **{name: secret[name] for name in Settings.model_fields if name in secret},
    )


@pytest.fixture(scope="module")
async def watched(
    postgres: EmbeddedPostgres, shared_database: str, engine: AsyncEngine, world: World
) -> AsyncIterator[FastAPI]:
    app = create_app(configured(postgres.url(shared_database), world), Database(engine))
    for path in ("/api/v1/break", "/break"):
        app.add_api_route(path, break_off, methods=["POST"])
    app.add_api_route("/api/v1/call-out", call_out, methods=["POST"])
    yield app
    await app.state.observers.stop()


@pytest.fixture
def app(watched: FastAPI, database: Database) -> FastAPI:
    return furnished(watched, watched.state.observers.settings, database)


async def come_in(
    client: httpx2.AsyncClient, world: World, session: AsyncSession, user: User
) -> None:
    """Log in in every way, well and badly; ``world`` learns what is secret."""
    body = {"email": user.email, "password": PASSWORD}
    tokens = (await client.post(f"{AUTH}/login", json=body)).json()
    wrong = canary("wrong")
    body["password"] = wrong
    await client.post(f"{AUTH}/login", json=body)
    await client.post("/login", data=body, headers=SAME_ORIGIN)
    await client.post(f"{AUTH}/token/refresh", json={"refresh_token": wrong})
    _, key = await make_api_key(session, user)
    issued = await make_webhook_endpoint(session)
    world.secrets |= CONFIGURED | {
        "password": PASSWORD,
        "wrong password": wrong,
        "access token": tokens["access_token"],
        "refresh token": tokens["refresh_token"],
        "key": key,
        "webhook": issued.secret,
        "link": canary("link"),
    }


async def use_everything(client: httpx2.AsyncClient, world: World) -> None:
    """Each credential, where it is right, wrong, refused, and where everything breaks."""
    secrets = world.secrets
    everything = {name.replace(" ", "_"): value for name, value in secrets.items()}
    bearer = {"Authorization": f"Bearer {secrets['access token']}"}
    for headers in ({"X-API-Key": secrets["key"]}, {"X-API-Key": secrets["key"] + "x"}, bearer):
        for method, path in (
            ("GET", f"{AUTH}/me"),
            ("POST", "/api/v1/agents"),  # 422: none of this is an agent's
            ("POST", "/api/v1/webhooks"),
            ("POST", "/api/v1/break"),
            ("POST", "/api/v1/call-out"),
            ("POST", "/v1/traces"),
            ("POST", f"/api/v1/no-such-page?token={secrets['link']}"),
        ):
            asked = {"json": everything} if method == "POST" else {}
            answer = await client.request(method, path, headers=headers, **asked)  # type: ignore[arg-type]  # as given
            world.answers.append(answer.text)
    for path in ("/break", "/account/password", f"/password/set?token={secrets['link']}"):
        answer = await client.post(path, data=everything, headers=SAME_ORIGIN)
        if answer.status_code >= 500:
            assert answer.status_code == 500
        world.answers.append(answer.text if "password/set" not in path else "")


async def with_the_database_gone(world: World) -> None:
    """By an app whose database does not answer: 503, whoever asks."""
    url = "postgresql+asyncpg://greenroom@127.0.0.1:1/x"
    app = create_app(configured(url, world))
    headers = {"X-API-Key": world.secrets["key"], **SAME_ORIGIN}
    async with client_of(app, headers=headers) as client:
        for path in (f"{AUTH}/me", "/api/v1/agents"):
            answer = await client.get(path)
            assert answer.status_code == 503
            world.answers.append(answer.text)
        body = {"email": "a@example.com", "password": world.secrets["password"]}
        world.answers.append((await client.post(f"{AUTH}/login", json=body)).text)
    await app.state.observers.stop()


def told_of(world: World, place: str, text: str) -> list[str]:
    return [f"{name} in {place}" for name, secret in world.secrets.items() if secret in text]


async def test_no_secret_leaves_by_logs_reports_spans_metrics_or_answers(
    app: FastAPI, session: AsyncSession, superuser: User, world: World
) -> None:
    settings: Settings = app.state.settings
    with logging_to(settings, is_json=False) as shown, logging_to(settings) as written:
        async with client_of(app) as client:
            await come_in(client, world, session, superuser)
            token = await log_in(client, session, settings, superuser)
            world.secrets["session"] = token
            await use_everything(client, world)
        scrape = {"Authorization": f"Bearer {CONFIGURED['metrics_token']}"}
        async with client_of(app, headers=scrape) as client:
            metrics = (await client.get("/metrics")).text
        sentry_sdk.flush()
        await with_the_database_gone(world)
    for watcher in app.state.observers.watchers:
        if isinstance(watcher, Tracing):
            watcher.flush()
    reports = [str(item) for body in world.sentry.bodies for item in items_of(body)]
    assert len(world.sentry.items("event")) >= 4
    assert len(world.collector.spans) > 50
    assert min(shown.text.count("request"), written.text.count("request")) > 30
    places = {
        "the log": written.text,
        "the console": shown.text,
        "reports": " ".join(reports),
        "spans": b"".join(world.collector.bodies).decode("latin-1"),
        "metrics": metrics,
        "answers": " ".join(world.answers),
    }
    found = [each for place, text in places.items() for each in told_of(world, place, text)]
    assert not found
    assert not [place for place, text in places.items() if PUBLIC_KEY in text]
