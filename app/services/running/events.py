"""What happens in a run, told to who watches it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from app.models import Execution, ExecutionBody
from app.schemas.executions import ExecutionRead

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunEvent:
    """``name`` is started, delta, tool_call, tool_result, requires_action or execution.

    The last one of a run is ``execution``: how it stands, with its output and error.
    """

    name: str
    data: Json = field(default_factory=dict)


Emit = Callable[[RunEvent], None]


def nobody_watches(_: RunEvent) -> None:
    """For runs in the background."""


def final_event(execution: Execution, body: ExecutionBody | None) -> RunEvent:
    read = ExecutionRead.model_validate(execution).model_dump(mode="json", by_alias=True)
    said = {"output": body.output, "error": body.error} if body else {}
    return RunEvent("execution", read | said)
