"""Published files of other tools, imported over HTTP into a running server: nothing is lost."""

import json
from decimal import Decimal
from typing import Any

import pytest

from app.core.config import PROJECT_ROOT
from tests.importing import imported
from tests.otlp.framework_traces import FOLDER, NAMES, counted, observations, published
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


def provided(name: str) -> Decimal | None:
    """The sum of what was not computed by Langfuse."""
    given = [o.raw["providedCostDetails"] for o in observations(name)]
    costs = [Decimal(str(cost["total"])) for cost in given if cost]
    return sum(costs, Decimal()) if costs else None


async def test_published_traces_are_imported_whole_and_once(home: Installation) -> None:
    files = [FOLDER / f"{name}.trace.json" for name in NAMES]
    steps = sum(len(published(name)["observations"]) for name in NAMES)
    code, said = await imported(home, "langfuse", *files)
    assert (code, f"Spans: {steps} stored, 0 refused" in said) == (0, True), said
    found = {run["trace_id"]: run for run in await runs(home)}
    assert len(found) == len(NAMES)
    for name in NAMES:
        run = found[published(name)["trace"]["id"]]
        assert run["span_count"] == len(published(name)["observations"])
        assert {side: run[f"{side}_tokens"] for side in ("input", "output")} == counted(name)
        assert run["status"] == "succeeded"
        cost = provided(name)
        if cost is not None:
            assert abs(Decimal(run["cost"]) - cost) < Decimal("1e-8")
    assert (await imported(home, "langfuse", *files))[0] == 0
    assert {run["trace_id"]: run for run in await runs(home)} == found
