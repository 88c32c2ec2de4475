"""Small cuts of SWE-agent's trajectories, old and new, and the command that sends them."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.importers.command import importers
from app.importers.files import InputError
from app.importers.openai_messages import Target
from app.importers.swe_agent import execution_of
from app.importers.trajectories import trajectories_in, trajectory_of
from app.schemas.executions import ExecutionCreate
from tests.unit.importers.remote import Remote, answer

Json = dict[str, Any]
SYSTEM = {"role": "system", "content": "You have a shell.", "agent": "main"}
DEMO = {"role": "user", "content": "Here is a demonstration.", "is_demo": True}
TASK = {"role": "user", "content": "Fix the colon."}
OPEN = {"role": "assistant", "content": "I open it.\n```\nopen a.py\n```", "action": "open a.py\n"}
SHOWN = {"role": "user", "content": "1: def f()\n(Open file: a.py)\nbash-$"}
SUBMIT = {"role": "assistant", "content": "Done.\n```\nsubmit\n```", "action": "submit\n"}
OPENED = {"response": OPEN["content"], "action": OPEN["action"], "observation": "1: def f()"}
FAILED = {
    "response": "I edit.",
    "action": "edit 1:1",
    "observation": "Syntax error",
    "thought": "?",
}
SUBMITTED = {"response": SUBMIT["content"], "action": SUBMIT["action"], "observation": "diff"}
HISTORY = [SYSTEM, DEMO, TASK, OPEN, SHOWN, SUBMIT]
INFO = {"exit_status": "submitted", "submission": "diff"}
OLD = {"environment": "swe_main", "trajectory": [OPENED, SUBMITTED], "history": HISTORY}
CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "bash", "arguments": '{"command":"ls"}'},
}
CALLING = {"role": "assistant", "content": "I look.", "action": "ls", "tool_calls": [CALL]}
ANSWERED = {"role": "tool", "content": "a.py", "tool_call_ids": ["c1"]}


def execution(raw: Json, model: str | None = None) -> Json:
    made = execution_of(trajectory_of(raw), Target(agent_id=7, model=model))
    ExecutionCreate.model_validate(made)
    return made


def spans(made: Json, kind: str) -> list[Json]:
    return [span for span in made["spans"] if span["kind"] == kind]


def test_each_step_is_a_call_of_the_model_and_a_command() -> None:
    made = execution(OLD | {"info": INFO})
    assert [span["kind"] for span in made["spans"]] == ["agent", "llm", "tool", "llm", "tool"]
    first, second = spans(made, "llm")
    assert (first["input"], first["output"]) == ({"messages": [SYSTEM, DEMO, TASK]}, OPEN)
    assert (second["input"], second["output"]) == ({"messages": [SHOWN]}, SUBMIT)
    opened, submitted = spans(made, "tool")
    assert (opened["tool_name"], opened["input"]) == ("open", {"command": "open a.py"})
    assert (opened["output"], submitted["output"]) == ("1: def f()", "diff")


def test_step_that_the_history_lacks_is_kept() -> None:
    made = execution(OLD | {"trajectory": [OPENED, FAILED, SUBMITTED]})
    assert [span["tool_name"] for span in spans(made, "tool")] == ["open", "edit", "submit"]
    said = {"role": "assistant", "content": "I edit.", "thought": "?", "action": "edit 1:1"}
    assert [span["output"] for span in spans(made, "llm")] == [OPEN, said, SUBMIT]


@pytest.mark.parametrize("trajectory", [[], [SUBMITTED]], ids=["none", "it lacks steps"])
def test_history_alone_tells_the_run_where_it_knows_more(trajectory: list[Json]) -> None:
    made = execution(OLD | {"trajectory": trajectory})
    assert [span["tool_name"] for span in spans(made, "tool")] == ["open", "submit"]
    assert spans(made, "tool")[0]["output"] == SHOWN["content"]
    assert "output" not in spans(made, "tool")[1]


def test_trajectory_alone_tells_the_run_too() -> None:
    made = execution({"trajectory": [OPENED, SUBMITTED]})
    assert [span["kind"] for span in made["spans"]] == ["agent", "llm", "tool", "llm", "tool"]


def test_calls_of_newer_files_keep_their_ids_and_arguments() -> None:
    made = execution({"history": [SYSTEM, TASK, CALLING, ANSWERED]})
    (step,) = spans(made, "tool")
    assert (step["tool_name"], step["input"], step["output"]) == ("bash", {"command": "ls"}, "a.py")
    assert step["attributes"] == {"gen_ai.tool.call.id": "c1"}
    (closing,) = spans(made, "other")
    sent = {"role": "tool", "content": "a.py", "tool_call_id": "c1"}
    assert closing["input"] == {"messages": [sent]}


def test_command_that_begins_with_no_name_is_one_of_the_shell() -> None:
    made = execution({"trajectory": [OPENED | {"action": "./run.sh --all"}]})
    assert spans(made, "tool")[0]["tool_name"] == "shell"
    assert spans(execution({"trajectory": [OPENED | {"action": " "}]}), "tool") == []


def test_input_is_the_task_without_the_demonstration_and_output_the_submission() -> None:
    made = execution(OLD | {"info": INFO})
    assert (made["input"], made["output"]) == ({"messages": [TASK]}, "diff")
    assert execution(OLD)["output"] == SUBMIT["content"]


@pytest.mark.parametrize(
    ("exit_status", "status", "error_type"),
    [
        ("submitted", "succeeded", None),
        ("submitted (exit_cost)", "failed", "submitted (exit_cost)"),
        ("exit_context", "failed", "exit_context"),
        (None, "cancelled", None),
        ("", "cancelled", None),
    ],
)
def test_status_follows_from_how_it_ended(
    exit_status: str | None, status: str, error_type: str | None
) -> None:
    made = execution(OLD | {"info": {"exit_status": exit_status}})
    assert (made["status"], made.get("error_type")) == (status, error_type)


def test_totals_that_were_counted_are_reported() -> None:
    stats = {
        "total_cost": 9.5,
        "instance_cost": 0.019520000000000006,
        "tokens_sent": 7141,
        "tokens_received": 243,
        "api_calls": 5,
    }
    made = execution(OLD | {"info": INFO | {"model_stats": stats}})
    assert (made["input_tokens"], made["output_tokens"], made["cost"]) == (7141, 243, 0.01952)
    assert made["metadata"] == {
        "synthetic_times": True,
        "environment": "swe_main",
        "exit_status": "submitted",
        "api_calls": 5,
    }


@pytest.mark.parametrize(
    "stats",
    [None, {}, {"instance_cost": 0, "tokens_sent": 0, "tokens_received": 0, "api_calls": 0}],
)
def test_totals_that_nobody_counted_stay_unknown(stats: Json | None) -> None:
    made = execution(OLD | {"info": {"model_stats": stats}})
    assert not {"input_tokens", "output_tokens", "cost"} & set(made)
    assert "api_calls" not in made["metadata"]


def test_model_is_that_of_the_file_else_the_one_that_was_named() -> None:
    config = {"agent": {"model": {"name": "gpt-4o"}}}
    for given in (config, json.dumps(config)):
        made = execution(OLD | {"replay_config": given}, model="other")
        assert [made["model"], *(span["model"] for span in spans(made, "llm"))] == ["gpt-4o"] * 3
    assert execution(OLD, model="other")["model"] == "other"
    assert "model" not in execution(OLD)


def test_same_content_makes_the_same_run_and_other_content_another() -> None:
    assert execution(OLD) == execution(json.loads(json.dumps(OLD)))
    other = execution(OLD | {"trajectory": [OPENED, FAILED, SUBMITTED]})
    assert other["external_id"] != execution(OLD)["external_id"]
    ids = [span["span_id"] for span in other["spans"]]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([], "This is no trajectory"),
        ({"info": {}}, "This is no trajectory"),
        ({"history": []}, "The trajectory has no steps."),
        ({"history": [TASK]}, "The trajectory has no steps."),
        ({"history": "x"}, "history is not a list."),
        ({"trajectory": [OPENED, 1]}, "trajectory, entry 2 is not an object."),
        ({"history": [TASK, {"content": "x"}]}, "history, message 2 has no role."),
    ],
)
def test_what_is_no_trajectory_is_named(raw: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.traj"
    path.write_text(json.dumps(raw))
    faults: list[InputError] = []
    assert list(trajectories_in(path, faults.append)) == []
    assert str(faults[0]).startswith(f"{path}, line 1: {message}")


def run(remote: Remote, *arguments: str | Path) -> tuple[int, str]:
    given = ["swe-agent", *map(str, arguments), "--agent", "swe"]
    server = ["--url", remote.url, "--api-key", "gr_key"]
    result = CliRunner().invoke(importers, [*given, *server])
    return result.exit_code, result.stderr


def test_bad_file_is_named_and_the_others_are_sent(remote: Remote, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.traj", tmp_path / "bad.traj"
    good.write_text(json.dumps(OLD))
    bad.write_text("{}")
    agent = {"id": 1, "name": "swe", "tools": [], "user_id": 1, "row_version": 1}
    remote.told.answers = [
        answer(200, {"items": [agent]}),
        answer(200, {"items": [{"index": 0, "status": 201}]}),
    ]
    code, said = run(remote, bad, good)
    assert (code, "1 created, 0 known, 0 refused" in said) == (1, True), said
    assert f"{bad}, line 1: This is no trajectory" in said


def test_nothing_is_asked_of_the_server_where_there_is_nothing_to_send(
    remote: Remote, tmp_path: Path
) -> None:
    path = tmp_path / "a.traj"
    path.write_text(json.dumps(OLD))
    code, said = run(remote, path, "--dry-run")
    assert (code, "Runs: 1 found, nothing sent" in said) == (0, True), said
    path.write_text("")
    code, said = run(remote, path)
    assert (code, f"{path} is empty." in said) == (1, True), said
    assert remote.told.bodies == []
