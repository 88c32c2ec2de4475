"""What the page tells to paste is pasted, as it stands there, and the runs arrive."""

import asyncio
import html
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from app.core.database import Database
from app.core.embedded_postgres import EmbeddedPostgres
from app.pages.connect_snippets import snippet_of
from tests.conftest import copy_database, settings_for
from tests.loopback import LoopbackServer
from tests.server import Installation, clean_environment, installed

RAN_WITHIN_S = 60
SAID = {"type": "output_text", "text": "Hello.", "annotations": []}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "gpt-4o-2024-08-06",
    "output": [
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [SAID],
        }
    ],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": {
        "input_tokens": 12,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 34,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 46,
    },
}


async def respond(_: Request) -> JSONResponse:
    return JSONResponse(RESPONSE)


@dataclass(frozen=True, slots=True)
class Pasted:
    """What the page shows to whoever has just made a key."""

    variables: str
    code: str


@pytest.fixture(scope="module")
async def home(
    postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    url = postgres.url(await copy_database(postgres, template))
    database = Database.from_settings(settings_for(url))
    async with installed(database, tmp_path_factory.mktemp("home")) as home:
        yield home
    await database.dispose()


async def shown(home: Installation, framework: str) -> Pasted:
    async with home.staff_client() as staff:
        made = await staff.post("/connect", data={"name": framework, "framework": framework})
    assert made.status_code == 201, made.text
    title = snippet_of(framework).title
    found = [
        re.findall(rf"<pre[^>]*{label}[^>]*>(.*?)</pre>", made.text, re.DOTALL)
        for label in ('id="variables"', f'aria-label="Code for {title}"')
    ]
    (variables,), (code,) = found
    return Pasted(html.unescape(variables), html.unescape(code))


async def run(pasted: Pasted, folder: Path, command: str, **environment: str) -> None:
    """In a shell, as somebody would."""
    (folder / "snippet").write_text(pasted.code)
    process = await asyncio.create_subprocess_exec(
        "sh",
        "-c",
        f"{pasted.variables}\nexec {command} snippet",
        cwd=folder,
        env=clean_environment(NO_PROXY="127.0.0.1", **environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), RAN_WITHIN_S)
    assert process.returncode == 0, said.decode()


async def newest(home: Installation) -> tuple[str, dict[str, Any]]:
    """The agent's name and the run."""
    async with home.api_client() as client:
        found = (await client.get("/api/v1/executions?limit=1")).json()["items"][0]
        agent = (await client.get(f"/api/v1/agents/{found['agent_id']}")).json()
    return agent["name"], found


@pytest.mark.parametrize(
    ("framework", "command"),
    [("opentelemetry", sys.executable), ("curl", "sh")],
    ids=["sdk", "curl"],
)
async def test_snippet_brings_a_run_as_it_stands_on_the_page(
    home: Installation, tmp_path: Path, framework: str, command: str
) -> None:
    await run(await shown(home, framework), tmp_path, command)
    name, found = await newest(home)
    assert (name, found["status"], found["model"]) == ("my-agent", "succeeded", "gpt-4o")
    assert (found["input_tokens"], found["output_tokens"]) == (12, 34)


async def test_snippet_for_pydantic_ai_brings_a_run_with_its_conversation(
    home: Installation, tmp_path: Path
) -> None:
    model = Starlette(routes=[Route("/v1/responses", respond, methods=["POST"])])
    with LoopbackServer(model) as provider:
        keys = {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": f"{provider.url}/v1"}
        await run(await shown(home, "pydantic-ai"), tmp_path, sys.executable, **keys)
    name, found = await newest(home)
    assert (name, found["status"], found["preview"]) == ("my-agent", "succeeded", "Say hello.")
    assert (found["input_tokens"], found["output_tokens"]) == (12, 34)
