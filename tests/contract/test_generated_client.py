"""A client that a public generator makes from our description does what it says."""

import asyncio
import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fastapi import FastAPI

from app.core.database import Database
from tests.server import Installation, clean_environment, installed

GENERATOR = str(Path(sys.executable).with_name("openapi-python-client"))
# The generator formats what it made with tools that we need not have.
CONFIG = json.dumps({"package_name_override": "greenroom_client", "post_hooks": []})


async def generate(schema: dict[str, Any], folder: Path) -> None:
    """Make the package ``greenroom_client`` in ``folder / "client"``."""
    (folder / "openapi.json").write_text(json.dumps(schema))
    (folder / "config.json").write_text(CONFIG)
    process = await asyncio.create_subprocess_exec(
        *(GENERATOR, "generate", "--path", "openapi.json", "--config", "config.json"),
        *("--output-path", "client", "--meta", "setup"),
        cwd=folder,
        env=clean_environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    # It names what it had to leave out.
    assert "warning" not in said.decode().lower(), said.decode()


def part(name: str) -> ModuleType:
    return importlib.import_module(f"greenroom_client.{name}")


def use(home: Installation) -> None:
    """Create an agent, report a run of it, and read it back."""
    client = part("client").AuthenticatedClient(
        home.server.url, token=home.api_key, prefix="", auth_header_name="X-API-Key"
    )
    models = part("models")
    agent = part("api.agents.create_agent").sync(
        client=client, body=models.AgentCreate(name="generated", model="gpt-4o")
    )
    assert isinstance(agent, models.AgentRead)
    span = models.SpanCreate(name="chat", kind=models.SpanKind("llm"))
    report = models.ExecutionCreate(agent="generated", external_id="run-1", spans=[span])
    run = part("api.executions.create_execution").sync(client=client, body=report)
    assert isinstance(run, models.ExecutionReported)
    assert run.agent_id == agent.id
    trace = part("api.executions.get_trace").sync(run.id, client=client)
    assert [span.name for span in trace.spans] == ["chat"]
    refused = part("api.agents.get_agent").sync(987_654, client=client)
    assert isinstance(refused, models.ErrorEnvelope)
    assert refused.error.code == "RESOURCE_NOT_FOUND"


async def test_generated_client_creates_an_agent_and_reports_a_run(
    app: FastAPI, own_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await generate(app.openapi(), tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "client")
    async with installed(own_database, tmp_path) as home:
        await asyncio.to_thread(use, home)
