"""The product with everything that it talks to, each behind a gate."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from aiosmtpd.controller import Controller
from fastapi import FastAPI
from pydantic import SecretStr

from app.core.config import Settings, SmtpSecurity
from app.core.database import Database
from app.main import create_app
from tests.conftest import settings_for
from tests.gate import Gate
from tests.integration.api.test_mails import Inbox
from tests.otlp.collector import Collector, collecting
from tests.provider import Provider
from tests.receiver import LOOPBACK, Receiver, receiving
from tests.redis_server import Redis
from tests.sentry import PUBLIC_KEY, SentryServer, sentry
from tests.server import free_port

EXPORTS = 2
NAMES = ("redis", "smtp", "provider", "webhook", "errors", "spans")


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


@dataclass(frozen=True, slots=True)
class Servers:
    """The real ones."""

    redis: Redis
    inbox: Inbox
    smtp_port: int
    provider: Provider
    receiver: Receiver
    sentry: SentryServer
    collector: Collector

    def ports(self) -> dict[str, int]:
        """In the order of ``NAMES``."""
        urls = (self.provider.url, self.receiver.url)
        provider, receiver = map(port_of, urls)
        found = (self.redis.port, self.smtp_port, provider, receiver, self.sentry.port)
        return dict(zip(NAMES, (*found, port_of(self.collector.url)), strict=True))


@contextmanager
def serving(folder: Path) -> Iterator[Servers]:
    with ExitStack() as stack:
        redis = Redis(folder)
        stack.callback(redis.stop)
        inbox, port = Inbox(), free_port()
        smtp = Controller(inbox, hostname="127.0.0.1", port=port)
        smtp.start()
        stack.callback(smtp.stop)
        yield Servers(
            redis,
            inbox,
            port,
            stack.enter_context(Provider()),
            stack.enter_context(receiving()),
            stack.enter_context(sentry()),
            stack.enter_context(collecting()),
        )


@dataclass(frozen=True, slots=True)
class Site:
    """An installation that knows of the gates alone."""

    app: FastAPI
    database: Database
    settings: Settings
    gates: dict[str, Gate]
    servers: Servers

    @property
    def hook(self) -> str:
        return f"http://127.0.0.1:{self.gates['webhook'].port}/hooks"


def settings_behind(gates: dict[str, Gate], database: Database) -> Settings:
    at = {name: f"127.0.0.1:{gate.port}" for name, gate in gates.items()}
    return settings_for(
        database.engine.url.render_as_string(hide_password=False),
        redis_url=SecretStr(f"redis://{at['redis']}/0"),
        smtp_host="127.0.0.1",
        smtp_port=gates["smtp"].port,
        smtp_security=SmtpSecurity.NONE,
        openai_base_url=f"http://{at['provider']}/v1",
        openai_api_key=SecretStr("sk-canary"),
        provider_timeout_s=0.5,
        provider_retries=0,
        outbound_allowed_networks=LOOPBACK,
        trusted_proxies=LOOPBACK,
        sentry_dsn=SecretStr(f"http://{PUBLIC_KEY}@{at['errors']}/7"),
        otlp_endpoint=f"http://{at['spans']}",
        rate_limit_export_per_minute=EXPORTS,
    )


async def break_off() -> None:
    raise RuntimeError("nobody foresaw this")


@asynccontextmanager
async def standing(database: Database, folder: Path) -> AsyncIterator[Site]:
    with ExitStack() as stack:
        servers = stack.enter_context(serving(folder))
        gates = {name: stack.enter_context(Gate(port)) for name, port in servers.ports().items()}
        settings = settings_behind(gates, database)
        app = create_app(settings, database)
        app.add_api_route("/api/v1/break", break_off)
        try:
            yield Site(app, database, settings, gates, servers)
        finally:
            await app.state.observers.stop()
            await app.state.live_runs.stop()
            await app.state.live_runs.running.provider.aclose()
