"""A real PostgreSQL for the whole run; each test in its own transaction or its own copy."""

import shutil
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker

from app.api.denials import Denials
from app.core.actor import Actor, Via
from app.core.config import Settings
from app.core.database import SESSION_OPTIONS, Database, LookingSession, make_engine
from app.core.embedded_postgres import EmbeddedPostgres
from app.core.migrations import migrate
from app.core.permissions import ROLE_PERMISSIONS, Role
from app.core.providers import ModelProvider
from app.core.rate_limits import RateLimits
from app.core.remembered import Memories
from app.core.runtime_settings import LiveSettings
from app.main import create_app
from app.models import User
from app.services.config_pulls import PullCounter
from app.services.ingestion.queue import IngestQueue
from app.services.operations.report import Operations
from app.services.running.live import LiveRuns
from app.services.running.runner import Running
from tests.factories.users import make_user

SECRET = "a-secret-for-tests-only-0123456789abcdef"
TEMPLATE = "greenroom_template"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


IN_MEMORY, ROOM_BYTES = Path("/dev/shm"), 4 * 1024**3  # noqa: S108  (a folder of its own there)


@pytest.fixture(scope="session")
def quick_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """In memory where there is room: hundreds of databases, of 700 files each, come and go."""
    if not IN_MEMORY.is_dir() or shutil.disk_usage(IN_MEMORY).free < ROOM_BYTES:
        yield tmp_path_factory.mktemp("postgres")
        return
    with TemporaryDirectory(prefix="greenroom-tests-", dir=IN_MEMORY) as name:
        yield Path(name)


@pytest.fixture(scope="session")
def postgres(quick_folder: Path) -> Iterator[EmbeddedPostgres]:
    """The embedded server over a folder of its own, stopped at the end."""
    server = EmbeddedPostgres(quick_folder)
    server.start()
    # Beside any event loop that a browser test keeps running in this thread.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(server.ensure_database, TEMPLATE).result()
    yield server
    server.stop()


def settings_for(url: str, **overrides: object) -> Settings:
    base = Settings(
        _env_file=None,
        secret_key=SecretStr(SECRET),
        database_url=SecretStr(url),
        database_pool_size=10,
    )
    return base.model_copy(update=overrides)


@pytest.fixture(scope="session")
async def template(postgres: EmbeddedPostgres) -> str:
    """A database made by the migrations, to be copied by tests that commit."""
    engine = make_engine(postgres.url(TEMPLATE), settings_for(postgres.url(TEMPLATE)))
    await migrate(engine)
    await engine.dispose()
    return TEMPLATE


async def execute(server: EmbeddedPostgres, statement: str) -> None:
    """As the owner of all databases."""
    connection = await asyncpg.connect(
        user="postgres", database="postgres", host=server.socket_folder
    )
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def copy_database(postgres: EmbeddedPostgres, template: str) -> str:
    name = f"t_{uuid4().hex[:16]}"
    await execute(postgres, f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
    return name


@pytest.fixture(scope="session")
async def shared_database(postgres: EmbeddedPostgres, template: str) -> str:
    """One copy for all tests that roll back."""
    return await copy_database(postgres, template)


@pytest.fixture
def settings(postgres: EmbeddedPostgres, shared_database: str) -> Settings:
    return settings_for(postgres.url(shared_database))


class TransactionDatabase(Database):
    """A database whose every unit of work is a savepoint of one transaction that never commits."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.engine = connection.engine
        self._connection = connection
        self._sessions = async_sessionmaker(
            connection, join_transaction_mode="create_savepoint", **SESSION_OPTIONS
        )
        self._lookers = async_sessionmaker(
            connection,
            join_transaction_mode="create_savepoint",
            sync_session_class=LookingSession,
            **SESSION_OPTIONS,
        )
        self._reader = self._claimer = connection.engine
        self._claims = self._sessions
        self._batches = {}
        self.memories = Memories()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        yield self._connection


@pytest.fixture(scope="session")
async def engine(postgres: EmbeddedPostgres, shared_database: str) -> AsyncIterator[AsyncEngine]:
    """The connections of all tests that roll back."""
    url = postgres.url(shared_database)
    engine = make_engine(url, settings_for(url))
    yield engine
    await engine.dispose()


@pytest.fixture
async def database(engine: AsyncEngine) -> AsyncIterator[Database]:
    """What tests do through this is rolled back at their end."""
    async with engine.connect() as connection:
        transaction = await connection.begin()
        yield TransactionDatabase(connection)
        await transaction.rollback()


@pytest.fixture
async def session(database: Database) -> AsyncIterator[AsyncSession]:
    async with database.unit_of_work() as session:
        yield session


@pytest.fixture
async def own_database(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[Database]:
    """A database of its own for a test that commits, or that uses several connections."""
    name = await copy_database(postgres, template)
    database = Database.from_settings(settings_for(postgres.url(name)))
    yield database
    await database.dispose()
    await execute(postgres, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
async def built_app(
    postgres: EmbeddedPostgres, engine: AsyncEngine, shared_database: str
) -> FastAPI:
    """Built once: FastAPI prepares the routes at the first request, which takes its time."""
    return create_app(settings_for(postgres.url(shared_database)), Database(engine))


def furnished(built_app: FastAPI, settings: Settings, database: Database) -> FastAPI:
    """An app that was built once, over this test's database."""
    built_app.state.settings = settings
    built_app.state.live_settings = LiveSettings(settings)
    built_app.state.database = database
    # What processes remember, no test inherits.
    built_app.state.rate_limits = RateLimits(settings)
    built_app.state.operations = Operations(database, settings, built_app.state.rate_limits)
    built_app.state.denials = Denials()
    running = Running.over(database, settings, ModelProvider(settings))
    built_app.state.live_runs = LiveRuns(running)
    built_app.state.config_pulls = PullCounter(database)
    built_app.state.ingest_queue = IngestQueue(database, settings.otlp_max_body_bytes)
    return built_app


@pytest.fixture
def app(built_app: FastAPI, settings: Settings, database: Database) -> FastAPI:
    return furnished(built_app, settings, database)


@asynccontextmanager
async def client_of(app: FastAPI, **options: object) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(
        transport=transport,
        base_url="http://localhost",
        **options,  # type: ignore[arg-type]  # passed through as they are
    ) as client:
        yield client


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """An anonymous client of the app in this process."""
    async with client_of(app) as client:
        yield client


def actor_for(user: User, via: Via = Via.API) -> Actor:
    return Actor(user_id=user.id, role=user.role, permissions=ROLE_PERMISSIONS[user.role], via=via)


@pytest.fixture
async def staff(session: AsyncSession) -> User:
    return await make_user(session, role=Role.STAFF)


@pytest.fixture
async def superuser(session: AsyncSession) -> User:
    return await make_user(session, role=Role.SUPERUSER)


@pytest.fixture
async def viewer(session: AsyncSession) -> User:
    return await make_user(session, role=Role.VIEWER)


@pytest.fixture
async def member(session: AsyncSession) -> User:
    return await make_user(session, role=Role.MEMBER)


@pytest.fixture
def actor(staff: User) -> Actor:
    return actor_for(staff)


class QueryCounter:
    """The statements that reached the database inside the block."""

    def __init__(self, database: Database) -> None:
        self._engine = database.engine.sync_engine
        self.statements: list[str] = []

    def _note(self, _c: object, _cur: object, statement: str, *_: object) -> None:
        if not statement.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
            self.statements.append(statement)

    def __enter__(self) -> "QueryCounter":
        event.listen(self._engine, "before_cursor_execute", self._note)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._note)

    @property
    def count(self) -> int:
        return len(self.statements)


@pytest.fixture
def counted(database: Database) -> QueryCounter:
    return QueryCounter(database)
