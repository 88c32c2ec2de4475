"""SWE-agent's trajectories as runs with spans: pure functions to API bodies.

They hold no times, so the run says ``metadata.synthetic_times``, and all runs start at the base
time: the same run gets the same times, whichever files are imported beside it. Zeros among the
totals mean that nobody counted; they stay unknown.
"""

import re
from collections.abc import Iterator
from typing import Any

from app.importers.messages import ToolCall, calls_in
from app.importers.openai_messages import Target
from app.importers.timeline import Body, Timeline, content_sha256, without_unknown
from app.importers.trajectories import RECORDS, Step, Trajectory, object_at
from app.importers.transcripts import Message

SUBMITTED = "submitted"
COMMAND = re.compile(r"\s*([A-Za-z_][\w.-]{0,99})(?=\s|$)")
SHELL = "shell"  # a command that begins with no name
COST_DECIMALS, MAX_ERROR_TYPE = 9, 200  # what a run can hold


def external_id_of(trajectory: Trajectory) -> str:
    """From the content: a file that is moved or copied stays the same run."""
    records = [trajectory.raw.get(name) for name in RECORDS]
    return f"swe-agent:sha256:{content_sha256(records)}"


def execution_of(trajectory: Trajectory, target: Target) -> Body:
    """The body of ``POST /api/v1/executions``, the same each time it is made."""
    timeline = Timeline(external_id_of(trajectory), target.base_time)
    body = {
        "agent_id": target.agent_id,
        "external_id": timeline.external_id,
        "source": "import",
        "model": trajectory.model or target.model,
        "started_at": timeline.at(0),
        "ended_at": timeline.at(last_position(trajectory)),
        "input": input_of(trajectory.prompt),
        "output": output_of(trajectory),
        "metadata": metadata_of(trajectory),
        "tags": ["imported"],
        "spans": list(spans_of(trajectory, timeline, target)),
    }
    return without_unknown(body | outcome_of(trajectory.info) | totals_of(trajectory.info))


def outcome_of(info: Body) -> Body:
    """``submitted`` is a success. A run without a status was stopped before it came to an end."""
    status = info.get("exit_status")
    if status == SUBMITTED:
        return {"status": "succeeded"}
    if not isinstance(status, str) or not status:
        return {"status": "cancelled"}
    return {"status": "failed", "error_type": status[:MAX_ERROR_TYPE]}


def counted(info: Body, name: str) -> int | float | None:
    found = object_at(info, "model_stats").get(name)
    known = isinstance(found, int | float) and not isinstance(found, bool) and found > 0
    return found if known else None


def totals_of(info: Body) -> Body:
    """Of this run; ``total_cost`` is that of all runs before it, too."""
    cost = counted(info, "instance_cost")
    return {
        "input_tokens": counted(info, "tokens_sent"),
        "output_tokens": counted(info, "tokens_received"),
        "cost": None if cost is None else round(cost, COST_DECIMALS),
    }


def metadata_of(trajectory: Trajectory) -> Body:
    info, environment = trajectory.info, trajectory.raw.get("environment")
    kept = {
        "environment": environment if isinstance(environment, str) else None,
        "exit_status": info.get("exit_status"),
        "api_calls": counted(info, "api_calls"),
    }
    return {"synthetic_times": True} | without_unknown(kept)


def input_of(prompt: list[Message]) -> Body | None:
    """The task; a demonstration of another one is no part of it."""
    asked = [m for m in prompt if m["role"] == "user" and not m.get("is_demo")]
    return {"messages": asked} if asked else None


def output_of(trajectory: Trajectory) -> Any:  # text or content parts
    """What was submitted, else the last thing said."""
    submission = trajectory.info.get("submission")
    return submission or trajectory.steps[-1].answer.get("content") or None


def last_position(trajectory: Trajectory) -> int:
    """Each step has a place for its answer and one for what the command printed."""
    return len(trajectory.prompt) + 2 * len(trajectory.steps) - 1


def spans_of(trajectory: Trajectory, timeline: Timeline, target: Target) -> Iterator[Body]:
    yield timeline.root(last_position(trajectory))
    model = trajectory.model or target.model
    given = trajectory.prompt
    for number, step in enumerate(trajectory.steps):
        position = len(trajectory.prompt) + 2 * number
        asked = {"messages": given} if given else None
        yield timeline.model_step(position, model, input=asked, output=step.answer)
        call = call_in(step)
        if call is not None:
            yield tool_step(timeline, position + 1, call, step)
        given = step.heard
    if given:
        yield closing_step(timeline, last_position(trajectory), given)


def call_in(step: Step) -> ToolCall | None:
    """The call that the model made, in older files the command in its text."""
    made = next(calls_in(step.answer), None)
    command = step.answer.get("action")
    if made is not None or not isinstance(command, str) or not command.strip():
        return made
    name = COMMAND.match(command)
    return ToolCall(None, name[1] if name else SHELL, {"command": command.strip()})


def tool_step(timeline: Timeline, position: int, call: ToolCall, step: Step) -> Body:
    """What a shell printed is text, whatever it looks like."""
    ids = None if call.call_id is None else {"gen_ai.tool.call.id": call.call_id}
    return timeline.step(
        position,
        kind="tool",
        name=call.name,
        tool_name=call.name,
        input=call.arguments,
        output=step.observation,
        attributes=ids,
    )


def closing_step(timeline: Timeline, last: int, heard: list[Message]) -> Body:
    """What was said after the last answer, at the moment of the last message."""
    step = timeline.step(last + 1, kind="other", name="unanswered", input={"messages": heard})
    return step | {"started_at": timeline.at(last), "ended_at": timeline.at(last)}
