"""The doctor tells the well from the broken, goes on when something is down, and keeps secrets."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from typer.testing import CliRunner

from app.cli import cli
from app.core.config import Settings
from app.core.database import Database
from app.doctor.machine import data_folder
from app.schemas.operations import State
from tests.conftest import SECRET
from tests.provider import Provider
from tests.server import free_port

CANARY = "canary-password-of-the-database"
NO_CHORE_IS_LATE = text(
    "INSERT INTO pgqueuer.schedules (expression, entrypoint, next_run) "
    "VALUES ('* * * * *', 'seal', now() + interval '1 minute')"
)


@dataclass(frozen=True, slots=True)
class Visit:
    code: int
    text: str

    @property
    def body(self) -> Any:  # JSON
        return json.loads(self.text)

    @property
    def states(self) -> dict[str, str]:
        return {each["key"]: each["state"] for each in self.body["findings"]}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PORT", str(free_port()))
    monkeypatch.setenv("SECRET_KEY", SECRET)
    return monkeypatch


async def visit(*options: str) -> Visit:
    """Beside the event loop of the test, as the command makes its own."""
    result = await asyncio.to_thread(CliRunner().invoke, cli, ["doctor", *options])
    return Visit(result.exit_code, result.output)


async def test_whole_installation_is_well(
    environment: pytest.MonkeyPatch, own_database: Database, provider: Provider
) -> None:
    url = own_database.engine.url.render_as_string(hide_password=False)
    environment.setenv("DATABASE_URL", url)
    environment.setenv("OPENAI_BASE_URL", provider.base_url)
    before = await visit("--json")
    assert (before.code, before.states["chores"]) == (1, "warn")
    async with own_database.unit_of_work() as session:
        await session.execute(NO_CHORE_IS_LATE)
    found = await visit("--json")
    # How full the disk is belongs to the machine that runs the tests.
    assert {key for key, state in found.states.items() if state in ("warn", "bad")} <= {"disk"}
    assert (found.code == 0) is (found.states["disk"] in ("ok", "unknown"))
    assert {"database", "provider", "port", "data_folder"} <= {
        key for key, state in found.states.items() if state == "ok"
    }


async def test_what_is_down_is_named_and_the_rest_is_asked_all_the_same(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    closed = free_port()
    (tmp_path / "secret_key").write_text(SECRET)
    (tmp_path / "secret_key").chmod(0o644)
    for name, value in {
        "ENVIRONMENT": "production",
        "SECRET_KEY": "short",
        "DATABASE_URL": f"postgresql+asyncpg://greenroom:{CANARY}@127.0.0.1:{closed}/greenroom",
        "REDIS_URL": f"redis://127.0.0.1:{closed}/0",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(closed),
        "OPENAI_BASE_URL": f"http://127.0.0.1:{closed}/v1",
    }.items():
        environment.setenv(name, value)
    found = await visit("--json")
    assert found.code == 2
    broken = {key for key, state in found.states.items() if state == "bad"}
    assert {"database", "smtp", "provider", "data_folder", "settings_0_0"} <= broken
    assert found.states["redis"] == "warn"
    said = await visit()
    for words in ("SECRET_KEY must be set", "nobody listens there", "Something is broken"):
        assert words in " ".join(said.text.split())
    assert CANARY not in said.text + found.text


async def test_settings_that_cannot_be_read_at_all_are_named(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("SESSION_IDLE_MINUTES", "soon")
    found = await visit()
    assert found.code == 2
    assert "SESSION_IDLE_MINUTES" in found.text
    assert "soon" not in found.text


@pytest.mark.parametrize(
    ("database_url", "secret", "state"),
    [
        ("postgresql+asyncpg://greenroom@127.0.0.1/greenroom", SECRET, State.UNKNOWN),
        ("postgresql+asyncpg://greenroom@127.0.0.1/greenroom", "", State.BAD),
        (None, SECRET, State.BAD),
    ],
)
def test_data_folder_that_cannot_be_written_matters_where_something_is_kept_in_it(
    tmp_path: Path, database_url: str | None, secret: str, state: State
) -> None:
    place = tmp_path / "no-folder"
    place.touch()
    settings = Settings(
        data_dir=place, database_url=database_url, secret_key=SecretStr(secret), _env_file=None
    )
    assert data_folder(settings).state is state
