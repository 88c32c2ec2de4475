"""What the manual shows with curl does what the pages say, in their order."""

import asyncio
import json
import re
import shlex
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any

import httpx2
import pytest

from app.core.config import PROJECT_ROOT
from app.core.database import Database
from tests.documented import all_commands
from tests.factories.users import PASSWORD, make_user
from tests.server import Installation, installed

EXAMPLE = re.compile(r"```sh\n(.*?)```\n+```json\n(.*?)```", re.DOTALL)


def examples() -> Iterator[tuple[str, Any]]:
    """Each command, and what its answer holds."""
    page = (PROJECT_ROOT / "docs" / "api.md").read_text()
    for command, answer in EXAMPLE.findall(page):
        yield command, json.loads(answer)


def request_of(command: str) -> dict[str, Any]:
    """What curl would send; a test must not need curl."""
    reader = ArgumentParser(exit_on_error=False)
    reader.add_argument("url")
    reader.add_argument("-i", action="store_true")  # show the headers, too
    reader.add_argument("-X", dest="method")
    reader.add_argument("-H", dest="headers", action="append", default=[])
    reader.add_argument("-d", dest="content")
    name, *words = shlex.split(command.replace("\\\n", " "))
    assert name == "curl"
    given = reader.parse_args(words)
    headers = dict(value.split(": ", 1) for value in given.headers)
    method = given.method or ("GET" if given.content is None else "POST")
    return {"method": method, "url": given.url, "headers": headers, "content": given.content}


def holds(answer: Any, part: Any) -> bool:
    """Whether the answer has all that the page shows of it."""
    if isinstance(part, dict):
        return all(name in answer and holds(answer[name], part[name]) for name in part)
    return bool(answer == part)


def run(home: Installation, command: str) -> Any:
    values = {
        "GREENROOM_URL": home.server.url,
        "GREENROOM_API_KEY": home.api_key,
        "GREENROOM": f"{home.server.url}/api/v1",
        "GREENROOM_KEY": home.api_key,
    }
    command = command.replace('"password": "…"', f'"password": "{PASSWORD}"')
    with httpx2.Client(trust_env=False) as client:
        response = client.request(**request_of(Template(command).substitute(values)))
    assert response.is_success, response.text
    return response.json()


@pytest.mark.parametrize("where", ["README.md", "docs"])
async def test_commands_of_the_manual_are_answered(
    own_database: Database, tmp_path: Path, where: str
) -> None:
    """Each on an installation without a row; beside some of docs/api.md stands what they answer."""
    shown = {} if where == "README.md" else dict(examples())
    asked = [
        command.text
        for command in all_commands()
        if command.words[0] == "curl" and (command.page == "README.md") == (where == "README.md")
    ]
    assert len(asked) >= 5
    # The page of agents speaks of one that is made on the page of the API.
    asked.sort(key=lambda command: "/config" in command and where == "docs")
    async with own_database.unit_of_work() as session:
        await make_user(session, email="admin@greenroom.example")
    async with installed(own_database, tmp_path) as home:
        answers = {each: await asyncio.to_thread(run, home, each) for each in asked}
    for command, part in shown.items():
        answer = answers[command.replace("\\\n", " ").strip()]
        assert holds(answer, part), (command, answer)
