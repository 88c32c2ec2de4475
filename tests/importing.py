"""Import commands against a running server, in this process: they start at once."""

import asyncio
from pathlib import Path

from typer.testing import CliRunner

from app.importers.command import importers
from tests.server import Installation


async def imported(home: Installation, name: str, *arguments: str | Path) -> tuple[int, str]:
    """Exit code and what it said; the key comes by the environment."""
    given = [name, *map(str, arguments), "--url", home.server.url]
    environment = {"GREENROOM_API_KEY": home.api_key, "COLUMNS": "200"}
    result = await asyncio.to_thread(CliRunner().invoke, importers, given, env=environment)
    return result.exit_code, result.stderr
