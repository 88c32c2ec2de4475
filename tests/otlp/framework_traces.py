"""Published traces of ten agent frameworks, as spans again.

The files are Langfuse's, taken after it had read the spans: attributes became text, and some moved
into fields of the observation. ``attributes_of`` puts them back under the names that each
instrumentation uses. What moved and is guessed:

* ``langfuse-sdk``: everything is a field of the observation; the SDK's own names are well known.
* ``langsmith``: input and output were ``gen_ai.prompt`` and ``gen_ai.completion``.
* ``agent_framework`` and ``pydantic-ai``: messages were ``gen_ai.input.messages`` and
  ``gen_ai.output.messages``, a tool's were ``gen_ai.tool.call.arguments`` and ``.result``.
* Token counts that are not among the attributes were in the names of that instrumentation; Koog
  and agno may never have sent them: Langfuse counts tokens itself where nobody says.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from app.core.config import PROJECT_ROOT
from app.models.spans import SpanStatus
from app.services.ingestion.wire import Origin, WireSpan

FOLDER = PROJECT_ROOT.parent / "shared" / "data" / "framework-traces"
NAMES = (
    "agno-2025-06-11",
    "claude-agent-2025-12-22",
    "google-adk-2025-08-28",
    "koog-2025-08-26",
    "langgraph-python-2025-08-22",
    "llamaindex-2025-06-05",
    "microsoft-agent-2025-12-17",
    "openai-agents-2025-09-30",
    "pydantic-ai-tools-2025-12-04",
    "vertex-ai-2025-08-01",
)
Json = Any  # a JSON value
NS_PER_US = 1000
COUNTS = ("_tokens", ".total", ".prompt", ".completion", ".cache_read", ".audio", ".reasoning")
NUMBERS = ("gen_ai.request.temperature", "gen_ai.client.operation.duration", "operation.cost")
LISTS = ("gen_ai.response.finish_reasons",)


@dataclass(frozen=True, slots=True)
class Observation:
    """One step as Langfuse keeps it."""

    trace: str
    raw: dict[str, Json]

    @property
    def id(self) -> str:
        return str(self.raw["id"])

    @property
    def metadata(self) -> dict[str, Json]:
        given = self.raw["metadata"]
        found: dict[str, Json] = json.loads(given) if isinstance(given, str) else given or {}
        return found

    @property
    def scope(self) -> dict[str, Json]:
        found: dict[str, Json] = self.metadata["scope"]
        return found


@cache
def published(name: str) -> dict[str, Json]:
    found: dict[str, Json] = json.loads((FOLDER / f"{name}.trace.json").read_text())
    return found


@cache
def conversations(name: str) -> dict[str, Json]:
    """By observation: ``{input, output}``, each ``{success, data}``."""
    found: dict[str, Json] = json.loads((FOLDER / f"{name}.chatml.json").read_text())
    return found


def observations(name: str) -> Iterator[Observation]:
    for raw in published(name)["observations"]:
        yield Observation(name, raw)


def spans(name: str) -> list[WireSpan]:
    """All steps of one published trace, by start time."""
    found = [wire_span(observation) for observation in observations(name)]
    return sorted(found, key=lambda span: span.start_ns)


def wire_span(observation: Observation) -> WireSpan:
    raw, scope = observation.raw, observation.scope
    parent = raw["parentObservationId"]
    failed = raw["level"] == "ERROR"
    return WireSpan(
        trace_id=bytes.fromhex(raw["traceId"]),
        span_id=bytes.fromhex(raw["id"]),
        parent_span_id=bytes.fromhex(parent) if parent else None,
        name=raw["name"],
        start_ns=nanoseconds(raw["startTime"]),
        end_ns=nanoseconds(raw["endTime"]),
        status=SpanStatus.ERROR if failed else SpanStatus.UNSET,
        status_message=raw["statusMessage"] or "",
        attributes=attributes_of(observation),
        events=(),
        origin=Origin(
            resource=observation.metadata["resourceAttributes"],
            scope_name=scope["name"],
            scope_version=scope.get("version") or "",
        ),
    )


def nanoseconds(moment: str) -> int:
    at = datetime.fromisoformat(moment)
    return (int(at.timestamp()) * 1_000_000 + at.microsecond) * NS_PER_US


def attributes_of(observation: Observation) -> dict[str, Json]:
    given = observation.metadata.get("attributes") or {}
    attributes = {name: as_sent(name, value) for name, value in given.items()}
    scope = observation.scope["name"]
    if scope == "langfuse-sdk":
        return langfuse_attributes(observation)
    if scope in LOST:
        attributes |= lost_words(observation, *LOST[scope])
    return attributes | lost_usage(observation, attributes)


def as_sent(name: str, value: Json) -> Json:
    """Numbers and lists from their text; objects, which OpenTelemetry lacks, as JSON."""
    if isinstance(value, str):
        if name.endswith(COUNTS) and value.isdigit():
            return int(value)
        if name in NUMBERS:
            return float(value)
        return json.loads(value) if name in LISTS else value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    return as_text(value)


def as_text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


MESSAGES = ("gen_ai.input.messages", "gen_ai.output.messages")
TOOL = ("gen_ai.tool.call.arguments", "gen_ai.tool.call.result")
LOST = {
    "langsmith": (("gen_ai.prompt", "gen_ai.completion"), ("gen_ai.prompt", "gen_ai.completion")),
    "agent_framework": (MESSAGES, TOOL),
    "pydantic-ai": (MESSAGES, ("tool_arguments", "tool_response")),
}


def lost_words(
    observation: Observation, messages: tuple[str, str], tool: tuple[str, str]
) -> dict[str, Json]:
    names = tool if observation.raw["type"] == "TOOL" else messages
    values = (observation.raw["input"], observation.raw["output"])
    pairs = zip(names, values, strict=True)
    return {name: as_text(value) for name, value in pairs if value is not None}


def lost_usage(observation: Observation, attributes: dict[str, Json]) -> dict[str, Json]:
    usage = observation.raw["usageDetails"]
    known = [n for n in attributes if n.startswith(("gen_ai.usage.", "llm.token_count."))]
    if not usage or known:
        return {}
    openinference = observation.scope["name"].startswith("openinference.")
    names = (
        ("llm.token_count.prompt", "llm.token_count.completion")
        if openinference
        else ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")
    )
    return {names[0]: usage["input"], names[1]: usage["output"]}


def langfuse_attributes(observation: Observation) -> dict[str, Json]:
    raw, trace = observation.raw, published(observation.trace)["trace"]
    own = {
        k: v for k, v in observation.metadata.items() if k not in ("resourceAttributes", "scope")
    }
    values: dict[str, Json] = {
        "langfuse.observation.type": raw["type"].lower(),
        "langfuse.observation.input": raw["input"],
        "langfuse.observation.output": raw["output"],
        "langfuse.observation.model.name": raw["model"],
        "langfuse.observation.usage_details": raw["usageDetails"] or None,
        "langfuse.observation.level": raw["level"],
        "langfuse.environment": raw["environment"],
        "session.id": trace["sessionId"],
        "user.id": trace["userId"],
    }
    sent = {name: as_text(value) for name, value in values.items() if value is not None}
    sent |= {f"langfuse.observation.metadata.{k}": as_text(v) for k, v in own.items()}
    return sent | ({"langfuse.trace.tags": trace["tags"]} if trace["tags"] else {})
