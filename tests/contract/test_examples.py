"""The examples of docs/api.md do what the page says, in its order."""

import asyncio
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any

import httpx2

from app.core.config import PROJECT_ROOT
from app.core.database import Database
from tests.server import Installation, installed

EXAMPLE = re.compile(r"```sh\n(.*?)```\n+```json\n(.*?)```", re.DOTALL)


def examples() -> Iterator[tuple[str, Any]]:
    """Each command, and what its answer holds."""
    page = (PROJECT_ROOT / "docs" / "api.md").read_text()
    for command, answer in EXAMPLE.findall(page):
        yield command, json.loads(answer)


def request_of(command: str) -> dict[str, Any]:
    """What curl would send; a test must not need curl."""
    name, url, *words = shlex.split(command.replace("\\\n", " "))
    assert name == "curl"
    options = list(zip(words[::2], words[1::2], strict=True))
    headers = dict(value.split(": ", 1) for option, value in options if option == "-H")
    data = dict(options).get("-d")
    method = dict(options).get("-X") or ("GET" if data is None else "POST")
    return {"method": method, "url": url, "headers": headers, "content": data}


def holds(answer: Any, part: Any) -> bool:
    """Whether the answer has all that the page shows of it."""
    if isinstance(part, dict):
        return all(name in answer and holds(answer[name], part[name]) for name in part)
    return bool(answer == part)


def run(home: Installation, command: str) -> Any:
    values = {"GREENROOM_URL": home.server.url, "GREENROOM_API_KEY": home.api_key}
    with httpx2.Client(trust_env=False) as client:
        response = client.request(**request_of(Template(command).substitute(values)))
    assert response.is_success, response.text
    return response.json()


async def test_examples_answer_as_the_page_says(own_database: Database, tmp_path: Path) -> None:
    found = list(examples())
    assert len(found) >= 5
    async with installed(own_database, tmp_path) as home:
        for command, shown in found:
            answer = await asyncio.to_thread(run, home, command)
            assert holds(answer, shown), (command, answer)
