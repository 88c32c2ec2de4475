"""The analysis of the published airline runs, against counts made from the file itself."""

import json
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import text

from app.core.config import PROJECT_ROOT
from app.schemas.analyses import AnalysisReport, FindingKind
from tests.integration.analysis.working import analysed
from tests.server import Installation

FILE = PROJECT_ROOT.parent / "shared" / "data" / "tau-bench" / "gpt-4o-airline.json"
Loop = tuple[str, str, int]  # external id, tool, calls

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not FILE.exists(), reason="the published runs are not here"),
]


def runs() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(FILE.read_text())
    return found


def calls_of(run: dict[str, Any]) -> list[dict[str, Any]]:
    return [call["function"] for message in run["traj"] for call in message.get("tool_calls") or []]


def loops_in_the_file() -> list[Loop]:
    """Counted with nothing of ours: the same tool, the same arguments, three times or more."""
    found = []
    for run in runs():
        counts = Counter(
            (call["name"], json.dumps(json.loads(call["arguments"]), sort_keys=True))
            for call in calls_of(run)
        )
        run_id = f"tau-bench:{run['task_id']}:{run['trial']}"
        found += [(run_id, name, times) for (name, _), times in counts.items() if times >= 3]
    return sorted(found)


async def external_ids(home: Installation) -> dict[int, str]:
    async with home.database.engine.connect() as connection:
        rows = await connection.execute(text("SELECT id, external_id FROM executions"))
        return {row[0]: row[1] for row in rows}


def loops_in(report: AnalysisReport, names: dict[int, str]) -> list[Loop]:
    found = []
    for finding in report.findings:
        if finding.kind is FindingKind.REPEATED_CALLS:
            assert finding.total == len(finding.evidence)
            found += [
                (names[e.execution_id], str(finding.subject), int(str(e.note).split()[0]))
                for e in finding.evidence
            ]
    return sorted(found)


async def test_analysis_of_published_runs_finds_what_the_file_says(home: Installation) -> None:
    code, said = await home.run_import(FILE, "--model", "gpt-4o")
    assert code == 0, said
    async with home.database.engine.connect() as connection:
        agent_id = (await connection.execute(text("SELECT id FROM agents"))).scalar_one()
    report = await analysed(home.database, agent_id)
    expected = loops_in_the_file()
    assert loops_in(report, await external_ids(home)) == expected
    assert len(expected) == 5
    calls = Counter(call["name"] for run in runs() for call in calls_of(run))
    assert {tool.name: tool.calls for tool in report.tools} == calls
    failed = sum(
        message["role"] == "tool" and message["content"].startswith("Error")
        for run in runs()
        for message in run["traj"]
    )
    assert sum(tool.failed for tool in report.tools) == failed
    solved = sum(run["reward"] == 1 for run in runs())
    assert {row.status.value: row.runs for row in report.statuses} == {
        "succeeded": solved,
        "failed": len(runs()) - solved,
    }
    assert report.scope.made_up_times == report.latency_ms.unknown == len(runs())
