"""``python -m app …`` as the manual writes it, one after the other, on one installation."""

import asyncio
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from app.backups.dumping import connected
from app.backups.programs import owner_url
from app.cli import cli
from app.core.database import Database
from app.core.embedded_postgres import EmbeddedPostgres
from app.core.permissions import Role
from app.models import Tool, User
from tests.conftest import SECRET, actor_for, settings_for
from tests.documented import Command, all_commands
from tests.factories.agents import make_agent
from tests.factories.tools import make_tool
from tests.factories.users import make_user
from tests.launching import Launched
from tests.server import clean_environment
from tests.unit.test_documented_commands import MANUAL, RUN_BY, application_words, named

WITHIN_S = 300
ERASED = "grace@example.com"


async def make_world(database: Database) -> int:
    """Those that the pages speak of; the number of the agent."""
    async with database.unit_of_work() as session:
        for email in (ERASED, "ada@example.com"):
            user = await make_user(session, Role.STAFF, email=email)
        await make_tool(session, actor_for(user), name="find-bag")
        return (await make_agent(session, actor_for(user))).id


async def empty_database(postgres: EmbeddedPostgres) -> str:
    async with connected(owner_url(settings_for(postgres.url("postgres")))) as connection:
        await connection.execute("CREATE DATABASE restored TEMPLATE template0")
    return postgres.url("restored")


def of_the_manual() -> list[list[str]]:
    """Each once, in the order of the pages."""
    found = {}
    for command in all_commands():
        name = named(command)
        words = application_words(command)
        if words and (RUN_BY.get(name or "") == MANUAL or is_in_compose(command)):
            found[" ".join(words)] = words
    return list(found.values())


def is_in_compose(command: Command) -> bool:
    return command.plain.startswith("docker compose")


def run(words: list[str], folder: Path, url: str) -> str:
    """What it says; it has to end well."""
    log = folder / f"{words[0]}.log"
    environment = clean_environment(
        DATABASE_URL=url, SECRET_KEY=SECRET, DATA_DIR=str(folder / "data"), COLUMNS="200"
    )
    process = Launched(words, folder, environment, log)
    try:
        code = process.wait(WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert code == 0, (words, log.read_text())
    return log.read_text()


async def erase(words: list[str], url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The only one that asks back."""
    for name, value in (("DATABASE_URL", url), ("SECRET_KEY", SECRET)):
        monkeypatch.setenv(name, value)
    done = await asyncio.to_thread(CliRunner().invoke, cli, words, input=f"{ERASED}\n")
    assert done.exit_code == 0, done.output


async def test_commands_do_what_the_manual_says(
    postgres: EmbeddedPostgres,
    own_database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agent_id = await make_world(own_database)
    url = own_database.engine.url.render_as_string(hide_password=False)
    elsewhere = await empty_database(postgres)
    for folder in ("data", "backups"):
        (tmp_path / folder).mkdir()
    done = of_the_manual()
    for given in done:
        words = [word.replace("/backups/", f"{tmp_path}/backups/") for word in given]
        words = [str(agent_id) if word == "7" else word for word in words]
        if words[0] == "erase-user" and "--dry-run" not in words:
            await erase(words, url, monkeypatch)
            continue
        aim = elsewhere if words[0] == "restore" else url
        await asyncio.to_thread(run, words, tmp_path, aim)
    assert len(done) >= 14
    look_at_files(tmp_path)
    await look(own_database, elsewhere)


def look_at_files(folder: Path) -> None:
    made = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    for wanted in ("grace.jsonl", "agent-7.jsonl", "tools.jsonl"):
        assert wanted in made
    assert {"backups/greenroom.tar", "backups/before.tar"} <= made
    assert [name for name in made if name.startswith("data/backups/")], "the one without a name"


async def look(database: Database, elsewhere: str) -> None:
    """Who was erased is gone here, and still there where the backup of before was restored."""
    emails = select(User.email)
    async with database.looking() as session:
        found = set(await session.scalars(emails))
        assert list(await session.scalars(select(Tool.name))) == ["find-bag"]
    assert "you@example.com" in found
    assert ERASED not in found
    async with (
        Database.opened(settings_for(elsewhere)) as restored,
        restored.looking() as session,
    ):
        assert ERASED in set(await session.scalars(emails))
