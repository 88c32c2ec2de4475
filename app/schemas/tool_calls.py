"""Calls of tools that runs have recorded, held against the tools that are registered."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from app.models.tool_calls import CallProblemKind
from app.schemas.base import Output
from app.schemas.tools import ToolSummary

MAX_DAYS, USUAL_DAYS = 30, 7
Days = Annotated[int, Field(ge=1, le=MAX_DAYS)]


class CallFigures(Output):
    calls: int
    errors: int
    unoffered: int
    """Calls in runs whose revision has tools, but not this one."""
    checked: int
    """Calls whose arguments could be held against the schema of the revision that ran."""
    broken: int
    """Of those, calls whose arguments break it."""


class CallExample(Output):
    execution_id: int
    span_id: str | None
    note: str | None


class CallProblem(Output):
    """`what` is the fault, the same for all values; or the name of a property."""

    kind: CallProblemKind
    what: str
    calls: int
    examples: list[CallExample]


class AgentCalls(CallFigures):
    agent_id: int
    agent: str


class Counted(Output):
    since: datetime
    """Runs that began in this hour or later."""
    counted_at: datetime | None
    """When the newest of these figures were counted."""
    is_pending: bool
    """Whether there are newer calls that are not counted yet."""


class ToolContract(Counted):
    tool_id: int
    total: CallFigures
    problems: list[CallProblem]
    """The most frequent first."""
    never_sent: list[str]
    """Properties of the schema that no checked call had."""
    agents: list[AgentCalls]
    """Those that call it most."""


class ToolStanding(StrEnum):
    """Whether the agent has the tool, its owner has one of that name, or nobody knows it."""

    GIVEN = "given"
    NOT_GIVEN = "not_given"
    UNKNOWN = "unknown"


class UsedTool(CallFigures):
    name: str
    tool_id: int | None
    """The agent's tool of that name, or else its owner's."""
    standing: ToolStanding
    unknown_properties: int
    """Names of arguments that the schema does not know."""


class AgentToolUse(Counted):
    agent_id: int
    tools: list[UsedTool]
    """The most called first."""
    never_called: list[ToolSummary]
    """Tools the agent has that none of its runs called."""
