"""Published files of other tools, imported over HTTP into a running server: nothing is lost."""

import json
from typing import Any

import pytest

from app.core.config import PROJECT_ROOT
from tests.importing import imported
from tests.server import Installation

DATA = PROJECT_ROOT.parent / "shared" / "data"
EXAMPLES = DATA / "otlp-examples"

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not DATA.exists(), reason="the published files are not here"),
]


async def runs(home: Installation) -> list[dict[str, Any]]:
    """Without the count of their changes: a report is one, also where it says nothing new."""
    async with home.api_client() as api:
        found: list[dict[str, Any]] = (await api.get("/api/v1/executions")).json()["items"]
    return [{key: value for key, value in run.items() if key != "row_version"} for run in found]


async def test_examples_of_the_protocol_are_imported(home: Installation) -> None:
    files = sorted(EXAMPLES.glob("*.json"))
    code, said = await imported(home, "otlp-json", *files)
    assert (code, "Spans: 1 stored, 0 refused" in said) == (0, True), said
    (run,) = await runs(home)
    (entry,) = json.loads((EXAMPLES / "trace.json").read_text())["resourceSpans"]
    (span,) = entry["scopeSpans"][0]["spans"]
    assert (run["trace_id"], run["span_count"]) == (span["traceId"].lower(), 1)
    assert (await imported(home, "otlp-json", *files))[1].endswith("Spans: 1 stored, 0 refused\n")
    assert await runs(home) == [run]
