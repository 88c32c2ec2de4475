"""Import commands against a running server, in this process: they start at once."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from typer.testing import CliRunner

from app.core.database import Database
from app.core.embedded_postgres import EmbeddedPostgres
from app.importers.command import importers
from tests.conftest import copy_database, settings_for
from tests.server import Installation, installed

ELAPSED = re.compile(r"\d+:\d\d:\d\d")  # what no two runs share


async def imported(home: Installation, name: str, *arguments: str | Path) -> tuple[int, str]:
    """Exit code and what it said; the key comes by the environment."""
    given = [name, *map(str, arguments), "--url", home.server.url]
    environment = {"GREENROOM_API_KEY": home.api_key, "COLUMNS": "200"}
    result = await asyncio.to_thread(CliRunner().invoke, importers, given, env=environment)
    return result.exit_code, ELAPSED.sub("", result.stderr)


@asynccontextmanager
async def installed_in_a_copy(
    postgres: EmbeddedPostgres, template: str, folder: Path, **environment: str
) -> AsyncIterator[Installation]:
    """A server over a database of its own, for tests that share it."""
    name = await copy_database(postgres, template)
    database = Database.from_settings(settings_for(postgres.url(name)))
    async with installed(database, folder, **environment) as home:
        yield home
    await database.dispose()
