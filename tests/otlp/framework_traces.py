"""Published traces of ten agent frameworks, as the importer of Langfuse's exports reads them."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from app.core.config import PROJECT_ROOT
from app.importers.langfuse import request_of
from app.importers.langfuse_attributes import Observation
from app.services.ingestion.otlp.json_request import decode_json
from app.services.ingestion.wire import WireSpan

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
        yield Observation(raw, published(name)["trace"])


@cache
def decoded(name: str) -> dict[str, WireSpan]:
    """By the ids of the observations."""
    found = decode_json(json.dumps(request_of(published(name))).encode())
    assert not found.rejected
    return {span.span_id.hex(): span for span in found.spans}


def spans(name: str) -> list[WireSpan]:
    """All steps of one published trace, by start time."""
    return sorted(decoded(name).values(), key=lambda span: span.start_ns)


def counted(name: str) -> dict[str, int]:
    """What Langfuse counted, over the calls of models that have no such call below them."""
    calls = {o.raw["id"]: o.raw for o in observations(name) if o.raw["type"] == "GENERATION"}
    above = {raw["parentObservationId"] for raw in calls.values()}
    usages = [raw["usageDetails"] for key, raw in calls.items() if key not in above]
    return {side: sum(usage[side] for usage in usages) for side in ("input", "output")}
