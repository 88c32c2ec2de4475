"""The real exporter of OpenTelemetry, and a real framework, against a real server."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from pydantic_ai import Agent
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.models.test import TestModel

from app.core.database import Database
from tests.server import Installation, installed


@contextmanager
def exporting(home: Installation, compression: Compression) -> Iterator[TracerProvider]:
    """A provider whose spans are exported, as applications set it up; all are sent at the end."""
    exporter = OTLPSpanExporter(
        endpoint=f"{home.server.url}/v1/traces",
        headers={"authorization": f"Bearer {home.api_key}"},
        compression=compression,
    )
    provider = TracerProvider(resource=Resource.create({"service.name": "checkout"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        yield provider
    finally:
        provider.shutdown()


def shop(provider: TracerProvider) -> None:
    tracer = provider.get_tracer("shop", "1.2")
    with tracer.start_as_current_span("invoke_agent shop") as root:
        root.set_attribute("gen_ai.operation.name", "invoke_agent")
        root.set_attribute("gen_ai.agent.name", "shop")
        with tracer.start_as_current_span("chat gpt-4o") as call:
            call.set_attribute("gen_ai.operation.name", "chat")
            call.set_attribute("gen_ai.request.model", "gpt-4o")
            call.set_attribute("gen_ai.usage.input_tokens", 12)
        with tracer.start_as_current_span("execute_tool find") as tool:
            tool.set_attribute("gen_ai.operation.name", "execute_tool")
            tool.set_attribute("gen_ai.tool.name", "find")
            tool.record_exception(OSError("nothing there"))


def ask(provider: TracerProvider) -> None:
    """An agent of Pydantic AI that calls a tool, with its own test model."""
    settings = InstrumentationSettings(tracer_provider=provider)
    agent: Agent[None, str] = Agent(TestModel(), name="weather")
    agent.instrument = settings

    @agent.tool_plain
    def temperature(city: str) -> str:
        return f"21 degrees in {city}"

    agent.run_sync("How warm is it in Rome?")


async def read(home: Installation) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The only run and its steps."""
    async with home.api_client() as client:
        (run,) = (await client.get("/api/v1/executions")).json()["items"]
        trace = (await client.get(f"/api/v1/executions/{run['id']}/trace")).json()
        agent = (await client.get(f"/api/v1/agents/{run['agent_id']}")).json()
    return run | {"agent": agent["name"]}, trace["spans"]


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
async def test_the_sdks_exporter_brings_a_run(
    own_database: Database, tmp_path: Path, compression: Compression
) -> None:
    async with installed(own_database, tmp_path) as home:
        with exporting(home, compression) as provider:
            await asyncio.to_thread(shop, provider)
        run, steps = await read(home)
    assert (run["agent"], run["status"], run["input_tokens"]) == ("shop", "succeeded", 12)
    assert [step["kind"] for step in steps] == ["agent", "llm", "tool"]
    assert steps[2]["events"][0]["attributes"]["exception.message"] == "nothing there"
    assert {step["parent_span_id"] for step in steps[1:]} == {steps[0]["span_id"]}


async def test_an_agent_of_pydantic_ai_brings_its_conversation(
    own_database: Database, tmp_path: Path
) -> None:
    async with installed(own_database, tmp_path) as home:
        with exporting(home, Compression.NoCompression) as provider:
            await asyncio.to_thread(ask, provider)
        run, steps = await read(home)
    assert (run["agent"], run["status"], run["model"]) == ("weather", "succeeded", "test")
    assert run["input_tokens"] > 0
    kinds = [step["kind"] for step in steps]
    assert (kinds.count("agent"), kinds.count("llm"), kinds.count("tool")) == (1, 2, 1)
    (tool,) = [step for step in steps if step["kind"] == "tool"]
    assert tool["tool_name"] == "temperature"
    assert "21 degrees" in str(tool["output"])
    calls = [step for step in steps if step["kind"] == "llm"]
    assert calls[0]["input"][-1] == {"role": "user", "content": "How warm is it in Rome?"}
