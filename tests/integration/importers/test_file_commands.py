"""Agents and tools leave by the command line and come back by it, previewed first."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner, Result

from app.cli import cli
from app.core.database import Database
from app.models import Agent, AuditEvent, Tool
from tests.conftest import SECRET, actor_for
from tests.factories.agents import make_agent
from tests.factories.tools import make_tool
from tests.factories.users import make_user


@pytest.fixture
def environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own_database: Database
) -> pytest.MonkeyPatch:
    monkeypatch.chdir(tmp_path)
    url = own_database.engine.url.render_as_string(hide_password=False)
    for name, value in (("DATABASE_URL", url), ("SECRET_KEY", SECRET)):
        monkeypatch.setenv(name, value)
    return monkeypatch


async def run(*words: str) -> Result:
    """Beside the event loop of the test, as the command makes its own."""
    return await asyncio.to_thread(CliRunner().invoke, cli, list(words))


async def descriptions(database: Database) -> dict[str, str | None]:
    async with database.looking() as session:
        rows = await session.execute(select(Agent.name, Agent.description))
        return {row[0]: row[1] for row in rows}


@pytest.mark.usefixtures("environment")
async def test_agents_leave_are_previewed_and_come_back(
    own_database: Database, tmp_path: Path
) -> None:
    async with own_database.unit_of_work() as session:
        user = await make_user(session, email="ada@example.com")
        tool = await make_tool(session, actor_for(user), name="find-bag")
        await make_agent(session, actor_for(user), name="support", tool_ids=[tool.id])
    file = tmp_path / "agents.csv"
    assert (await run("export", "agents", str(file))).exit_code == 0
    text = file.read_text()
    assert "find-bag" in text
    file.write_text("name,description,model\nsupport,Kind.,gpt-4o\nnew-one,Mine.,m\nx,,m\n")
    words = ("import", "agents", str(file), "--as", "ada@example.com")
    preview = await run(*words)
    assert "1 new, 1 changed, 0 unchanged, 1 refused" in preview.output
    assert "Nothing is written yet" in preview.output
    assert "new-one" not in await descriptions(own_database)
    applied = await run(*words, "--apply")
    assert "2 rows written" in applied.output
    assert await descriptions(own_database) == {"support": "Kind.", "new-one": "Mine."}
    assert "no active user" in (await run(*words[:-1], "no@example.com")).output
    lines = (await run("export", "tools")).stdout
    assert '"name":"find-bag"' in lines
    async with own_database.looking() as session:
        vias = select(AuditEvent.via).where(AuditEvent.action.in_(["export", "import"]))
        assert {via.value for via in await session.scalars(vias)} == {"cli"}
        assert await session.scalar(select(func.count()).select_from(Tool)) == 1
