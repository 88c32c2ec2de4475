"""What came of a run, as the playground shows it."""

from dataclasses import dataclass
from typing import Any

from app.core.completions import count, mapping
from app.core.texts import lazy
from app.models import Execution, ExecutionBody
from app.models.executions import OPEN_STATUSES
from app.models.spans import SpanKind
from app.services.conversation import Turn, conversation_of
from app.services.execution_reads import ExecutionReader
from app.services.spans import FullSpan, SpanService

CUT_SHORT = {
    "length": lazy("cut off at max tokens"),
    "content_filter": lazy("cut off by the content filter"),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """``calls`` wait for their results; ``cut_short`` says why an answer ends early."""

    run: Execution
    body: ExecutionBody | None
    turns: list[Turn]
    calls: list[dict[str, Any]]
    cut_short: str | None

    @property
    def based_on(self) -> int | None:
        """The revision that was tried out with changes."""
        kept = (self.body.details or {}).get("run") if self.body else None
        return count(mapping(kept).get("revision"))

    @property
    def is_open(self) -> bool:
        return self.run.status in OPEN_STATUSES


async def outcome_of(runs: ExecutionReader, execution: Execution) -> Outcome:
    spans = await SpanService(runs.session, runs.actor).with_bodies(execution)
    body = await runs.find_body(execution)
    turns = [turn for turn in conversation_of(spans) if is_of_the_run(turn)]
    return Outcome(execution, body, turns, waiting_calls(body), cut_short(spans))


def is_of_the_run(turn: Turn) -> bool:
    """Whether the model or a tool said it, rather than that it was given to the model first."""
    return turn.model_name is not None or any(call.span_id for call in turn.calls)


def waiting_calls(body: ExecutionBody | None) -> list[dict[str, Any]]:
    output = body.output if body and isinstance(body.output, dict) else {}
    action = output.get("requires_action")
    calls = action.get("tool_calls") if isinstance(action, dict) else None
    return [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []


def cut_short(spans: list[FullSpan]) -> str | None:
    calls = [span for span in spans if span.span.kind is SpanKind.LLM]
    reasons = (calls[-1].attributes or {}).get("gen_ai.response.finish_reasons") if calls else None
    return CUT_SHORT.get(reasons[0]) if isinstance(reasons, list) and reasons else None
