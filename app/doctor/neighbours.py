"""What Greenroom talks to: each is asked once, none is believed to answer."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import aiosmtplib
import httpx2

from app.core.config import Settings, SmtpSecurity
from app.core.database import Database
from app.core.embedded_postgres import EmbeddedPostgres
from app.core.own_spans import export_headers, traces_url
from app.core.reasons import reason_of
from app.doctor.machine import finding
from app.exceptions import Unavailable
from app.schemas.operations import State
from app.services.operations.asking import ask_all, asking
from app.services.operations.findings import Finding, Outcome, judged, ok, unknown
from app.services.operations.report import CHECKS

GROUP = "What it talks to"
WITHIN_S = 5.0
# Of a web server; here nobody holds a pool or counts requests.
OF_A_SERVER = frozenset({"pool", "rate_limits"})


@contextmanager
def embedded(settings: Settings) -> Iterator[Settings]:
    """Settings with a DATABASE_URL: that of the embedded server, if it was ever started here."""
    if settings.database_url is not None or not (settings.data_dir / "postgres").exists():
        yield settings
        return
    with EmbeddedPostgres.started(settings.data_dir) as server:
        yield server.configured(settings)


async def database_findings(settings: Settings) -> list[Finding]:
    """Whether it answers, and if so all that it says."""
    if settings.database_url is None:
        said = unknown("not started yet", "The embedded one is made by: python -m app run")
        return [finding("database", GROUP, "Database", said)]
    database = Database.from_settings(settings)
    try:
        async with asking(database, settings) as asked:
            answers = finding("database", GROUP, "Database", ok("answers"))
            checks = [check for check in CHECKS if check.key not in OF_A_SERVER]
            return [answers, *await ask_all(checks, asked)]
    except Unavailable as error:
        advice = "See that PostgreSQL runs, and what DATABASE_URL says. The rest goes unasked."
        said = judged(State.BAD, reason_of(error.__cause__), advice)
        return [finding("database", GROUP, "Database", said)]
    finally:
        await database.dispose()


async def redis(settings: Settings) -> Outcome:
    if settings.redis_url is None:
        return unknown("not set", "Each process counts rate limits by itself; fine for one.")
    from redis.asyncio import Redis  # servers without it need not have it in memory
    from redis.exceptions import RedisError

    client = Redis.from_url(settings.redis_url.get_secret_value(), socket_timeout=WITHIN_S)
    try:
        await client.execute_command("PING")  # type: ignore[no-untyped-call]  # redis leaves it untyped
    except (RedisError, OSError) as failure:
        error: BaseException | None = failure
        while isinstance(error, RedisError):  # named like the one behind it, which says more
            error = error.__cause__ or error.__context__
        advice = "See REDIS_URL. Until then each process counts rate limits by itself."
        return judged(State.WARN, reason_of(error), advice)
    finally:
        await client.aclose()
    return ok("answers")


async def smtp(settings: Settings) -> Outcome:
    """A greeting, TLS and the login; no mail."""
    if settings.smtp_host is None:
        return unknown("not set", "Superusers pass links of invitations on by hand.")
    password = settings.smtp_password
    client = aiosmtplib.SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        username=settings.smtp_username,
        password=None if password is None else password.get_secret_value(),
        use_tls=settings.smtp_security is SmtpSecurity.TLS,
        start_tls=settings.smtp_security is SmtpSecurity.STARTTLS,
        timeout=WITHIN_S,
    )
    try:
        async with client:
            await client.noop()
    except aiosmtplib.SMTPAuthenticationError:
        return judged(State.BAD, "refuses the login", "See SMTP_USERNAME and SMTP_PASSWORD.")
    except (aiosmtplib.SMTPException, OSError) as error:
        said = reason_of(error.__cause__) if error.__cause__ else "it does not talk as expected"
        return judged(State.BAD, said, "See SMTP_HOST, SMTP_PORT and SMTP_SECURITY.")
    return ok("takes mail")


async def provider(settings: Settings) -> Outcome:
    """Its list of models, which costs nothing."""
    if settings.openai_base_url is None:
        return unknown("not set", "Agents run in runtimes of your own only.")
    key = settings.openai_api_key
    headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
    try:
        async with httpx2.AsyncClient(timeout=WITHIN_S) as client:
            address = f"{settings.openai_base_url.rstrip('/')}/models"
            status = (await client.get(address, headers=headers)).status_code
    except (httpx2.HTTPError, ValueError):
        return judged(State.BAD, "it cannot be reached", "See OPENAI_BASE_URL, and the network.")
    if status in (401, 403):
        return judged(State.BAD, "refuses the key", "See OPENAI_API_KEY.")
    state = State.WARN if status >= 500 or status == 429 else State.OK
    return judged(state, f"answers ({status})", "It has trouble of its own; try again later.")


async def errors(settings: Settings) -> Outcome:
    """Whether anybody answers at its address; no report is sent."""
    if settings.sentry_dsn is None:
        return unknown("not set", "Unexpected errors are in the log alone.")
    address = urlsplit(settings.sentry_dsn.get_secret_value())
    port = f":{address.port}" if address.port else ""
    try:
        async with httpx2.AsyncClient(timeout=WITHIN_S) as client:
            await client.get(f"{address.scheme}://{address.hostname}{port}/")
    except (httpx2.HTTPError, ValueError):
        advice = "See SENTRY_DSN, and the network. Until then errors are in the log alone."
        return judged(State.WARN, "it cannot be reached", advice)
    return ok("answers")


async def spans(settings: Settings) -> Outcome:
    """An export without spans, which a collector takes as any other."""
    if settings.otlp_endpoint is None:
        return unknown("not set", "No spans of Greenroom itself are exported.")
    headers = export_headers(settings) | {"content-type": "application/x-protobuf"}
    try:
        async with httpx2.AsyncClient(timeout=WITHIN_S) as client:
            sent = await client.post(traces_url(settings.otlp_endpoint), headers=headers)
    except (httpx2.HTTPError, ValueError):
        advice = "See OTLP_ENDPOINT, and the network. Until then spans are dropped."
        return judged(State.WARN, "it cannot be reached", advice)
    if sent.status_code in (401, 403):
        return judged(State.WARN, "refuses the headers", "See OTLP_HEADERS.")
    state = State.OK if sent.is_success else State.WARN
    return judged(state, f"answers ({sent.status_code})", "See that OTLP_ENDPOINT takes traces.")


async def asked_in_time(
    key: str, name: str, ask: Callable[[Settings], Awaitable[Outcome]], settings: Settings
) -> Finding:
    try:
        async with asyncio.timeout(2 * WITHIN_S):
            return finding(key, GROUP, name, await ask(settings))
    except TimeoutError:
        said = judged(State.BAD, "it does not answer in time", "See that it runs and is reachable.")
        return finding(key, GROUP, name, said)


async def neighbour_findings(settings: Settings) -> list[Finding]:
    asked = (
        ("redis", "Redis", redis),
        ("smtp", "Mail", smtp),
        ("provider", "Models", provider),
        ("errors", "Error reports", errors),
        ("spans", "Own spans", spans),
    )
    return list(await asyncio.gather(*(asked_in_time(*one, settings) for one in asked)))
