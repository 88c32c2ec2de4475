"""OpenAI chat transcripts as runs with spans: pure functions from a transcript to API bodies.

Transcripts hold no times, so message ``i`` (from 0) is placed ``i`` seconds after the run's start
and the run says so (``metadata.synthetic_times``). Tokens and cost stay unknown.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.importers.messages import (
    ASSISTANT,
    TOOL_ROLES,
    OpenCalls,
    ToolCall,
    known_model,
    result_of,
    text_of,
)
from app.importers.timeline import (
    DEFAULT_BASE_TIME,
    Body,
    Timeline,
    content_sha256,
    without_unknown,
)
from app.importers.transcripts import Message, Transcript

BETWEEN_RUNS = timedelta(hours=1)
MAX_INFO_BYTES = 64 * 1024
MAX_REWARD = 10**9  # what feedback can hold


@dataclass(frozen=True, slots=True)
class Target:
    """Where runs go: the agent's id, the model where a transcript names none, the first start."""

    agent_id: int
    model: str | None = None
    base_time: datetime = DEFAULT_BASE_TIME


def execution_of(transcript: Transcript, target: Target, occurrence: int = 1) -> Body:
    """The body of ``POST /api/v1/executions`` for one run, the same each time it is made.

    ``occurrence`` counts runs of the same content in one file, from 1.
    """
    external_id = external_id_of(transcript, occurrence)
    started_at = target.base_time + transcript.index * BETWEEN_RUNS
    run = Run(transcript, target, Timeline(external_id, started_at))
    reward = reward_of(transcript)
    failed = reward is not None and reward < 1
    body: Body = {
        "agent_id": target.agent_id,
        "external_id": external_id,
        "source": "import",
        "status": "failed" if failed else "succeeded",
        "error_type": "reward_below_1" if failed else None,
        "model": run.model,
        "started_at": run.timeline.at(0),
        "ended_at": run.timeline.at(len(transcript.messages) - 1),
        "input": input_of(transcript.messages),
        "output": output_of(transcript.messages),
        "metadata": metadata_of(transcript),
        "tags": ["imported"],
        "feedback": [] if reward is None else [{"name": "reward", "value": reward}],
        "spans": list(run.spans()),
    }
    return without_unknown(body)


def external_id_of(transcript: Transcript, occurrence: int = 1) -> str:
    """``tau-bench:task:trial`` where the run has both, else what follows from its content."""
    task_id, trial = transcript.extras.get("task_id"), transcript.extras.get("trial")
    if task_id is not None and trial is not None:
        return f"tau-bench:{task_id}:{trial}"
    again = "" if occurrence == 1 else f":{occurrence}"
    return f"sha256:{content_sha256(transcript.messages)}{again}"


def reward_of(transcript: Transcript) -> float | None:
    """The run's score; 1 and more is a success. ``None`` when there is no number that counts."""
    reward = transcript.extras.get("reward")
    if isinstance(reward, bool) or not isinstance(reward, int | float):
        return None
    return reward if abs(reward) <= MAX_REWARD else None


def metadata_of(transcript: Transcript) -> Body:
    extras = transcript.extras
    kept = {name: extras.get(name) for name in ("task_id", "trial", "reward")}
    info = extras.get("info")
    if isinstance(info, dict) and len(json.dumps(info)) <= MAX_INFO_BYTES:
        kept["info"] = info
    return {"synthetic_times": True} | without_unknown(kept)


def input_of(messages: list[Message]) -> Body | None:
    """What the user said before the first answer."""
    asked: list[Message] = []
    for message in messages:
        if message["role"] == ASSISTANT:
            break
        if message["role"] == "user":
            asked.append(message)
    return {"messages": asked} if asked else None


def output_of(messages: list[Message]) -> Any:  # text or content parts
    """The last thing the assistant said; calls of tools are nothing said."""
    said = (m.get("content") for m in reversed(messages) if m["role"] == ASSISTANT)
    return next((content for content in said if content), None)


@dataclass(frozen=True, slots=True)
class Run:
    """One transcript on its way to spans.

    Each message is in exactly one place as it was: an assistant's is the output of an ``llm``
    span, all others are in the input of the ``llm`` span that follows, or of the closing span when
    none does. ``tool`` spans beside these show each call with its arguments and result.
    """

    transcript: Transcript
    target: Target
    timeline: Timeline

    @property
    def model(self) -> str | None:
        extras = self.transcript.extras
        return known_model(*self.transcript.messages, extras) or self.target.model

    def spans(self) -> Iterator[Body]:
        yield self.timeline.root(len(self.transcript.messages) - 1)
        yield from self._steps()

    def _steps(self) -> Iterator[Body]:
        calls, unanswered = OpenCalls(), list[Message]()
        for position, message in enumerate(self.transcript.messages):
            if message["role"] == ASSISTANT:
                yield self._model_step(position, message, unanswered)
                calls.add(message)
                unanswered = []
                continue
            if message["role"] in TOOL_ROLES:
                yield self._tool_step(position, message, calls.answered_by(message))
            unanswered.append(message)
        if unanswered:
            yield self._closing_step(unanswered)

    def _model_step(self, position: int, message: Message, given: list[Message]) -> Body:
        model = known_model(message, self.transcript.extras) or self.target.model
        values = {"input": {"messages": given}, "output": message}
        return self.timeline.model_step(position, model, **values)

    def _tool_step(self, position: int, message: Message, call: ToolCall | None) -> Body:
        name = call.name if call else message.get("name")
        content, call_id = message.get("content"), message.get("tool_call_id")
        failed = text_of(content).startswith("Error")
        return self.timeline.step(
            position,
            kind="tool",
            name=name if isinstance(name, str) and name else "tool",
            tool_name=name if isinstance(name, str) else None,
            status="error" if failed else "unset",
            input=call.arguments if call else None,
            output=result_of(content),
            attributes=None if call_id is None else {"gen_ai.tool.call.id": call_id},
        )

    def _closing_step(self, messages: list[Message]) -> Body:
        """What came after the last answer, at the moment of the last message."""
        position = len(self.transcript.messages)
        given = {"messages": messages}
        step = self.timeline.step(position, kind="other", name="unanswered", input=given)
        moment = self.timeline.at(position - 1)
        return step | {"started_at": moment, "ended_at": moment}
