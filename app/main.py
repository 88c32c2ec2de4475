"""The application factory: the one place that knows every part."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles

from app import pages
from app.admin import mount_admin
from app.api import denials, docs, errors, health, idempotency, openapi, otlp, otlp_answers
from app.api.deps import PLAIN_COOKIE, SECURE_COOKIE
from app.api.v1 import ROUTERS
from app.core.cache import Recent
from app.core.config import Settings, get_settings
from app.core.database import Database
from app.core.database_watch import DatabaseWatch
from app.core.logging import configure_logging
from app.core.migrations import head_revision, known_revisions
from app.core.providers import ModelProvider
from app.core.rate_limits import RateLimits
from app.core.read_replica import read_replica
from app.core.rooms import RESTARTING, Rooms
from app.core.runtime_settings import LiveSettings
from app.core.stopping import Stopping
from app.core.templating import STATIC, Templates
from app.jobs import HANDLED, SCHEDULES
from app.jobs.context import Resources
from app.jobs.worker import Worker
from app.middleware.body_limit import BodyLimitMiddleware
from app.middleware.client_address import ClientAddressMiddleware
from app.middleware.head import HeadMiddleware
from app.middleware.hosts import HostsMiddleware
from app.middleware.languages import LanguagesMiddleware
from app.middleware.request_context import RequestContextMiddleware
from app.middleware.same_origin import SameOriginMiddleware
from app.middleware.security_headers import SecurityHeadersMiddleware
from app.observing import Observers
from app.services.config_pulls import PullCounter
from app.services.ingestion.queue import IngestQueue
from app.services.live_configs import MAX_RENDERED
from app.services.live_credentials import CredentialWatch
from app.services.live_events import EventListener, EventSender
from app.services.operations.report import Operations
from app.services.presences import PresenceKeeper
from app.services.running.live import LiveRuns
from app.services.running.runner import Running
from app.services.settings_keeper import SettingsKeeper

DESCRIPTION = (
    "Manage agents and tools, report what they did, and read it back. Send an API key in the "
    "`X-API-Key` header. Every error has the same envelope; every list is bounded."
)

COMPRESSED_FROM_BYTES = 1024
EXPOSED_HEADERS = [
    "ETag",
    "Location",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "X-Correlation-ID",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
]
# What programs ask says itself which methods it has; of health many monitors ask by HEAD.
NO_HEAD = (*(path for path in errors.JSON_PATHS if path != "/health"), "/static/")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    sender, listener = EventSender(app.state.database), app.state.events
    app.state.database.outbox = sender.send
    sender.start()
    listener.start()
    watch = DatabaseWatch(app.state.database)
    watch.start()
    await app.state.database.warm_up()
    if app.state.read_replica:
        app.state.read_replica.start()
    await app.state.settings_keeper.begin()
    app.state.credential_watch.start()
    app.state.presence.start()
    app.state.config_pulls.start()
    app.state.observers.start()
    # Read while the files are those of this version.
    head_revision(), known_revisions()
    working = asyncio.create_task(app.state.worker.run()) if app.state.worker else None
    # What was made until now stays: the collector need not look through it again and again.
    gc.freeze()
    yield
    if working is not None:
        await app.state.worker.stop()
        await asyncio.wait([working])
    await watch.stop()
    await app.state.live_runs.stop()
    await app.state.live_runs.running.provider.aclose()
    # The server has hung up by now, unless it is one that leaves that to us.
    app.state.rooms.end_all(RESTARTING)
    await app.state.credential_watch.stop()
    await app.state.settings_keeper.stop()
    await app.state.presence.stop()
    await app.state.config_pulls.stop()
    await app.state.ingest_queue.stop()
    await listener.stop()
    await sender.stop()
    await leave_replica(app)
    await app.state.observers.stop()
    await app.state.database.dispose()


async def leave_replica(app: FastAPI) -> None:
    if app.state.read_replica:
        await app.state.read_replica.stop()
        await app.state.read_replica.dispose()


def create_app(
    settings: Settings, database: Database | None = None, *, embed_worker: bool = False
) -> FastAPI:
    """The product over one database, its worker in the same process where wanted.

    Raises ``RuntimeError`` when no database is configured.
    """
    configure_logging(settings)
    respond = errors.ErrorResponder(pages.render_error)
    observers = Observers(settings)
    app = FastAPI(
        title=settings.project_name,
        version=settings.version,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if settings.docs_enabled else None,
        separate_input_output_schemas=False,
        openapi_tags=[{"name": name, "description": text} for name, text in openapi.TAGS.items()],
        generate_unique_id_function=openapi.operation_id,
        middleware=middleware(settings, respond, observers),
    )
    equip(app, settings, database)
    app.state.observers = observers
    observers.watch_web(app)
    app.state.worker = make_worker(app) if embed_worker else None
    errors.install(app, respond)
    app.add_exception_handler(idempotency.Replayed, idempotency.replay)
    app.include_router(health.router)
    app.include_router(otlp.router)
    for router in ROUTERS:
        app.include_router(router, prefix=settings.api_v1_prefix)
    if settings.docs_enabled:
        app.include_router(docs.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.openapi = openapi.describe(app)  # type: ignore[method-assign]  # FastAPI's own way
    pages.include(app)
    mount_admin(app)
    return app


def equip(app: FastAPI, settings: Settings, database: Database | None) -> None:
    """What routes and pages find in the app's state."""
    state = app.state
    state.settings = settings
    state.live_settings = LiveSettings(settings)
    state.database = database or Database.from_settings(settings)
    state.read_replica = read_replica(state.database, settings)
    state.templates = Templates(reload=settings.debug)
    state.events = EventListener(state.database)
    state.rooms = Rooms()
    state.events.subscribe(state.rooms.deliver)
    state.credential_watch = CredentialWatch(state.database, settings)
    state.settings_keeper = SettingsKeeper(state.database, state.live_settings)
    state.presence = PresenceKeeper(state.database)
    state.denials = denials.Denials()
    state.rate_limits = RateLimits(settings)
    state.operations = Operations(state.database, settings, state.rate_limits)
    state.rendered_configs = Recent(MAX_RENDERED)
    provider = ModelProvider(settings)
    state.live_runs = LiveRuns(Running.over(state.database, settings, provider))
    state.stopping = Stopping()
    # Runs that are watched end in words, on record, before their streams would be cut off.
    state.stopping.at_last_call(state.live_runs.stop)
    state.config_pulls = PullCounter(state.database)
    state.ingest_queue = IngestQueue(state.database, settings.otlp_max_body_bytes)


def make_worker(app: FastAPI) -> Worker:
    state = app.state
    resources = Resources(
        state.database,
        state.settings,
        state.templates,
        state.live_runs.running,
        meters=state.observers.meters,
        watchers=state.observers.watchers,
    )
    return Worker(resources, HANDLED, SCHEDULES)


def middleware(
    settings: Settings, respond: errors.ErrorResponder, observers: Observers
) -> list[Middleware]:
    """Outermost first."""
    return [
        Middleware(ClientAddressMiddleware, trusted=settings.trusted_proxies),
        Middleware(SecurityHeadersMiddleware, strict_transport=settings.secure_cookies),
        # Outside of what answers stray errors, which are pages too.
        Middleware(LanguagesMiddleware, english=(f"{settings.api_v1_prefix}/", "/v1/")),
        *observers.around_requests(),
        Middleware(RequestContextMiddleware, respond=respond, meters=observers.meters),
        *observers.inside_requests(),
        # Other sites may call the API with a key; cookies are never sent along.
        Middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "If-Match", "Idempotency-Key", "X-API-Key"],
            expose_headers=EXPOSED_HEADERS,
            max_age=600,
        ),
        # Outside of what compresses: the length is that of the body that GET gets.
        Middleware(HeadMiddleware, but_for=NO_HEAD),
        Middleware(GZipMiddleware, minimum_size=COMPRESSED_FROM_BYTES, compresslevel=5),
        Middleware(HostsMiddleware, hosts=settings.hosts),
        Middleware(
            BodyLimitMiddleware,
            max_bytes=settings.max_body_bytes,
            paths=dict.fromkeys(otlp_answers.PATHS, settings.otlp_max_body_bytes),
        ),
        Middleware(
            SameOriginMiddleware,
            cookie_names=frozenset({SECURE_COOKIE, PLAIN_COOKIE}),
            public_origin=settings.public_origin,
        ),
    ]


def app() -> FastAPI:
    """For ``uvicorn --factory app.main:app`` and gunicorn."""
    return create_app(get_settings())
