"""Published files of other tools, imported over HTTP into a running server: nothing is lost."""

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from app.core.config import PROJECT_ROOT
from app.core.embedded_postgres import EmbeddedPostgres
from app.importers.swe_agent import external_id_of
from app.importers.trajectories import trajectory_of
from tests.importing import imported, installed_in_a_copy
from tests.otlp.framework_traces import FOLDER, NAMES, counted, observations, published
from tests.server import Installation

DATA = PROJECT_ROOT.parent / "shared" / "data"
EXAMPLES = DATA / "otlp-examples"
TRAJECTORIES = sorted((DATA / "swe-agent").glob("*.traj"))

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not DATA.exists(), reason="the published files are not here"),
]


@pytest.fixture(scope="module")
async def server(
    postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    async with installed_in_a_copy(postgres, template, tmp_path_factory.mktemp("server")) as home:
        yield home


async def runs(home: Installation, **filters: str) -> list[dict[str, Any]]:
    """Without the count of their changes: a report is one, also where it says nothing new."""
    async with home.api_client() as api:
        answer = await api.get("/api/v1/executions", params={"limit": 100, **filters})
    found: list[dict[str, Any]] = answer.json()["items"]
    return [{key: value for key, value in run.items() if key != "row_version"} for run in found]


async def test_examples_of_the_protocol_are_imported(server: Installation) -> None:
    files = sorted(EXAMPLES.glob("*.json"))
    code, said = await imported(server, "otlp-json", *files)
    assert (code, "Spans: 1 stored, 0 refused" in said) == (0, True), said
    (entry,) = json.loads((EXAMPLES / "trace.json").read_text())["resourceSpans"]
    (span,) = entry["scopeSpans"][0]["spans"]
    trace = span["traceId"].lower()
    (run,) = await runs(server, q=trace)
    assert (run["trace_id"], run["span_count"]) == (trace, 1)
    assert (await imported(server, "otlp-json", *files))[1].endswith("Spans: 1 stored, 0 refused\n")
    assert await runs(server, q=trace) == [run]


def provided(name: str) -> Decimal | None:
    """The sum of what was not computed by Langfuse."""
    given = [o.raw["providedCostDetails"] for o in observations(name)]
    costs = [Decimal(str(cost["total"])) for cost in given if cost]
    return sum(costs, Decimal()) if costs else None


async def test_published_traces_are_imported_whole_and_once(server: Installation) -> None:
    files = [FOLDER / f"{name}.trace.json" for name in NAMES]
    steps = sum(len(published(name)["observations"]) for name in NAMES)
    code, said = await imported(server, "langfuse", *files)
    assert (code, f"Spans: {steps} stored, 0 refused" in said) == (0, True), said
    since = {"since": "2025-06-01T00:00:00Z"}
    found = {run["trace_id"]: run for run in await runs(server, **since)}
    assert len(found) == len(NAMES)
    for name in NAMES:
        run = found[published(name)["trace"]["id"]]
        assert run["span_count"] == len(published(name)["observations"])
        assert {side: run[f"{side}_tokens"] for side in ("input", "output")} == counted(name)
        assert run["status"] == "succeeded"
        cost = provided(name)
        if cost is not None:
            assert abs(Decimal(run["cost"]) - cost) < Decimal("1e-8")
    assert (await imported(server, "langfuse", *files))[0] == 0
    assert {run["trace_id"]: run for run in await runs(server, **since)} == found


def totals(raw: dict[str, Any]) -> tuple[int | None, int | None, float | None]:
    """Tokens and cost as the file has them; zeros were not counted."""
    stats = raw["info"]["model_stats"]
    cost = stats["instance_cost"] and round(stats["instance_cost"], 9)
    return stats["tokens_sent"] or None, stats["tokens_received"] or None, cost or None


async def steps_of(home: Installation, run: dict[str, Any]) -> list[dict[str, Any]]:
    async with home.api_client() as api:
        trace = (await api.get(f"/api/v1/executions/{run['id']}/trace")).json()
    found: list[dict[str, Any]] = trace["spans"]
    return found


async def test_published_trajectories_are_imported_whole_and_once(server: Installation) -> None:
    given = [*map(str, TRAJECTORIES), "--agent", "swe-agent"]
    code, said = await imported(server, "swe-agent", *given)
    assert (code, f"{len(TRAJECTORIES)} created, 0 known, 0 refused" in said) == (0, True), said
    stored = await runs(server, source="import")
    found = {run["external_id"]: run for run in stored}
    assert len(found) == len(TRAJECTORIES)
    counted_runs = 0
    for path in TRAJECTORIES:
        raw = json.loads(path.read_text())
        run = found[external_id_of(trajectory_of(raw))]
        cost = None if run["cost"] is None else float(run["cost"])
        assert (run["input_tokens"], run["output_tokens"], cost) == totals(raw)
        counted_runs += cost is not None
        steps = await steps_of(server, run)
        printed = [step["output"] for step in steps if step["kind"] == "tool"]
        assert printed == [entry["observation"] for entry in raw["trajectory"]]
        commands = [step["output"]["action"] for step in steps if step["kind"] == "llm"]
        assert commands == [entry["action"] for entry in raw["trajectory"]]
    assert counted_runs == 3
    code, said = await imported(server, "swe-agent", *given)
    assert (code, f"0 created, {len(TRAJECTORIES)} known, 0 refused" in said) == (0, True), said
    assert await runs(server, source="import") == stored
