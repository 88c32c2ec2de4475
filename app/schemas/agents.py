"""Agents: what may be sent, and what leaves the back office."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from app.schemas.agent_revisions import RevisionSummary
from app.schemas.base import (
    Flag,
    Input,
    JsonDict,
    Name,
    OptionalText,
    Output,
    PageQuery,
    Patch,
    RowId,
    Tag,
    Tags,
    Text,
    blank_to_none,
    storable_text,
)
from app.schemas.tools import ToolSummary

MIN_MAX_TOKENS, MAX_MAX_TOKENS, DEFAULT_MAX_TOKENS = 100, 100_000, 1000


def tags_in(value: object) -> object:
    """As they are typed into one field: with commas between them."""
    if not isinstance(value, str):
        return value
    return [tag for part in value.split(",") if (tag := part.strip())]


ModelName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(storable_text),
]
Prompt = Annotated[Text, Field(max_length=MAX_MAX_TOKENS)]
MaxTokens = Annotated[int, Field(ge=MIN_MAX_TOKENS, le=MAX_MAX_TOKENS)]
ToolIds = Annotated[list[RowId], Field(max_length=200)]
Reason = Annotated[Text, Field(max_length=500)]
# In one order and each once: the same tags are then the same value.
AgentTags = Annotated[Tags, AfterValidator(lambda tags: sorted(set(tags)))]
TypedTags = Annotated[AgentTags, BeforeValidator(tags_in)]
Note = Annotated[Reason | None, BeforeValidator(blank_to_none)]


class Action(StrEnum):
    """What a runtime is to do: go on, or stop while the agent is paused."""

    CONTINUE = "continue"
    STOP = "stop"


def action_for(*, is_active: bool) -> Action:
    return Action.CONTINUE if is_active else Action.STOP


class AgentCreate(Input):
    name: Name
    description: OptionalText = None
    model_name: ModelName = Field(alias="model")
    system_prompt: Prompt = ""
    max_tokens: MaxTokens = DEFAULT_MAX_TOKENS
    config: JsonDict = Field(default_factory=dict)
    is_active: Flag = True
    tool_ids: ToolIds = Field(default_factory=list)
    tags: AgentTags = Field(default_factory=list)
    note: Note = Field(None, description="Why; kept with the revision.")


class AgentUpdate(Patch):
    name: Name = ""
    description: OptionalText = None
    model_name: ModelName = Field("", alias="model")
    system_prompt: Prompt = ""
    max_tokens: MaxTokens = DEFAULT_MAX_TOKENS
    config: JsonDict = Field(default_factory=dict)
    is_active: Flag = True
    tool_ids: ToolIds = Field(default_factory=list)
    tags: AgentTags = Field(default_factory=list)
    note: Note = None


class AgentStaffUpdate(AgentUpdate):
    """What the back office may change beside; ``internal_notes`` never leaves it."""

    internal_notes: OptionalText = None
    tags: TypedTags = Field(default_factory=list)


class AgentStaffCreate(AgentCreate):
    internal_notes: OptionalText = None
    tags: TypedTags = Field(default_factory=list)


class AgentFilters(Input):
    model_name: Annotated[ModelName | None, Field(alias="model")] = None
    """Agents of this model."""
    is_active: bool | None = None
    """Running ones, or paused ones."""
    is_draft: bool | None = None
    """Those that runs of theirs made, or those that somebody described."""
    name: Name | None = None
    """The agent of this name."""
    tag: Annotated[Tag | None, BeforeValidator(blank_to_none)] = None
    """Agents with this tag."""
    user_id: RowId | None = None
    """Agents of this person."""


class AgentQuery(AgentFilters, PageQuery):
    """By name, unless it says otherwise."""


class AgentSummary(Output):
    id: int
    name: str


class AgentRead(Output):
    id: int
    user_id: int
    name: str
    description: str | None
    model_name: str = Field(alias="model")
    system_prompt: str
    max_tokens: int
    config: dict[str, Any]
    is_active: bool
    is_draft: bool
    """Made because runs of it arrived; the first change by somebody ends that."""
    tags: list[str]
    live_revision: RevisionSummary | None
    tools: list[ToolSummary]
    row_version: int
    created_at: datetime
    updated_at: datetime


class AgentConfig(Output):
    """What a runtime pulls: the live revision's snapshot."""

    agent_id: int
    name: str
    action: Action
    revision: int
    model_name: str = Field(alias="model")
    system_prompt: str
    max_tokens: int
    config: dict[str, Any]
    tools: list[dict[str, Any]]
    paused_tools: list[str]
    """Tools of the revision that are paused: left out of `tools` until they are resumed."""
    otel: dict[str, str]
