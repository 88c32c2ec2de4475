"""Each operation is asked what its schema allows and forbids, as four kinds of clients.

``FUZZ_EXAMPLES`` raises the number of random requests for each operation (``make fuzz``).
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from app.core.database import Database
from app.core.permissions import Role
from app.services.refresh_tokens import RefreshTokenService
from tests.conftest import actor_for, settings_for
from tests.factories.users import make_user
from tests.server import Installation, clean_environment, installed

CONFIG = Path(__file__).with_name("schemathesis.toml")
COMMAND = str(Path(sys.executable).with_name("schemathesis"))
EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "3")
IS_LONG = "FUZZ_EXAMPLES" in os.environ


@pytest.fixture
async def home(own_database: Database, tmp_path: Path) -> AsyncIterator[Installation]:
    async with installed(own_database, tmp_path, ACCESS_TOKEN_EXPIRE_MINUTES="60") as home:
        yield home


async def token_of(home: Installation, role: Role) -> str:
    url = home.database.engine.url.render_as_string(hide_password=False)
    settings = settings_for(url, access_token_expire_minutes=60)
    async with home.database.unit_of_work() as session:
        user = await make_user(session, role)
        pair = await RefreshTokenService(session, actor_for(user), settings).open(user, None)
    return f"Authorization: Bearer {pair.access_token}"


async def header_of(home: Installation, client: str) -> str | None:
    if client == "anonymous":
        return None
    if client == "key":
        return f"X-API-Key: {home.api_key}"
    return await token_of(home, Role(client))


def command(home: Installation, header: str | None, phases: str) -> list[str]:
    """What runs all checks over all operations but the one that would log this client out."""
    given = [] if header is None else ["-H", header]
    return [
        COMMAND,
        *("--config-file", str(CONFIG), "run", f"{home.server.url}/openapi.json", *given),
        *("--phases", phases, "--mode", "all"),
        *("--max-examples", EXAMPLES, "--exclude-operation-id", "log_out", "--workers", "1"),
        *("--no-color", "--seed", "1", "--suppress-health-check", "all"),
    ]


async def describe(home: Installation) -> None:
    """Have the description made: on a busy machine that takes longer than Schemathesis waits."""
    async with httpx2.AsyncClient(timeout=120) as client:
        (await client.get(f"{home.server.url}/openapi.json")).raise_for_status()


ALL_PHASES = "examples,coverage,fuzzing"
# Those who share a key's routes are asked at random, or this would take too long for every change.
PHASES = {
    "anonymous": "fuzzing",
    "member": "fuzzing",
    "superuser": "fuzzing",
    "key": "examples,coverage",
}


# Nearly all that members ask for is refused: they are asked for long only, by ``make fuzz``.
CLIENTS = [client for client in PHASES if IS_LONG or client != "member"]


@pytest.mark.parametrize("client", CLIENTS)
async def test_every_operation_keeps_to_its_description(
    home: Installation, tmp_path: Path, client: str
) -> None:
    await describe(home)
    phases = ALL_PHASES if IS_LONG else PHASES[client]
    process = await asyncio.create_subprocess_exec(
        *command(home, await header_of(home, client), phases),
        cwd=tmp_path,
        env=clean_environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode().partition("= WARNINGS")[0][-9000:]
    sys.stdout.write(f"{client}: {said.decode().rpartition('Test cases:')[2][:40].strip()}\n")
