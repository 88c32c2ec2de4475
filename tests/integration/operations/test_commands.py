"""Commands say in words what keeps them from their work, and none of it is a traceback."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app import data_commands
from app.cli import cli
from app.console import console
from app.core.config import get_settings
from app.core.embedded_postgres import EmbeddedPostgres
from tests.conftest import SECRET
from tests.server import free_port

COMMANDS = (
    ["serve", "--port", "0"],
    ["worker"],
    ["migrate"],
    ["audit", "verify"],
    ["create-superuser", "ada@example.com"],
    ["backup"],
    ["retention", "--dry-run"],
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SECRET_KEY", SECRET)
    monkeypatch.setattr(console, "width", 400)
    monkeypatch.setattr(data_commands, "end_in_order", lambda: None)  # these end by themselves
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


async def said(*arguments: str) -> str:
    """What a command that fails says; beside the event loop of the test, as it makes its own."""
    result = await asyncio.to_thread(CliRunner().invoke, cli, arguments)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit), "said, not raised"
    return result.output


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
async def test_command_says_that_nobody_answers(
    monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    url = f"postgresql+asyncpg://ada:canary@127.0.0.1:{free_port()}/greenroom"
    monkeypatch.setenv("DATABASE_URL", url)
    words = await said(*command)
    assert "nobody listens there" in words
    assert "canary" not in words


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
async def test_command_says_that_there_is_no_such_database(
    monkeypatch: pytest.MonkeyPatch, postgres: EmbeddedPostgres, command: list[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres.url("no_such_database"))
    assert "there is no such database" in await said(*command)


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
async def test_server_says_where_it_cannot_listen(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("HOST", host)
    assert f"Nobody can listen at {host}:0 here" in await said("serve", "--port", "0")


@pytest.mark.parametrize("command", ["serve", "run", "backup", "migrate"])
async def test_folder_that_is_none_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "file"))
    monkeypatch.delenv("SECRET_KEY")
    assert str(tmp_path / "file") in await said(command)


async def test_backup_says_where_it_cannot_write(
    monkeypatch: pytest.MonkeyPatch, postgres: EmbeddedPostgres, shared_database: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres.url(shared_database))
    words = await said("backup", "/proc/backup.tar")
    assert "No such file or directory: /proc/" in words


async def test_brackets_in_a_name_are_said_as_they_are() -> None:
    assert "no file [/red].tar" in await said("restore", "[/red].tar")
