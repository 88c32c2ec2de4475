"""What Greenroom is asked to run, and the tool results that a caller hands in."""

import json
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from app.core.texts import _
from app.schemas.agents import MaxTokens, ModelName, Prompt
from app.schemas.base import (
    Flag,
    Input,
    Json,
    JsonDict,
    RowId,
    ShortText,
    Tags,
    storable_json,
    storable_text,
)

MAX_MESSAGES, MAX_VARIABLES, MAX_RESULTS = 500, 100, 100
MAX_CONVERSATION_BYTES = 2 * 1024 * 1024
MAX_TURNS, DEFAULT_TURNS = 25, 10

Said = Annotated[str, StringConstraints(max_length=1_000_000), AfterValidator(storable_text)]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
VariableValue = Annotated[str, StringConstraints(max_length=50_000), AfterValidator(storable_text)]
Variables = Annotated[dict[VariableName, VariableValue], Field(max_length=MAX_VARIABLES)]


class RunMessage(Input):
    """One message in OpenAI's shape."""

    role: Literal["user", "assistant", "system", "developer", "tool"]
    content: Said | Annotated[list[JsonDict], Field(max_length=100)] | None = None
    name: ShortText | None = None
    tool_calls: Annotated[list[JsonDict] | None, Field(max_length=100)] = None
    tool_call_id: ShortText | None = None


def bounded(messages: list[RunMessage]) -> list[RunMessage]:
    size = len(json.dumps([message.model_dump(exclude_none=True) for message in messages]))
    if size > MAX_CONVERSATION_BYTES:
        raise ValueError(
            _("must not be larger than %(count)s bytes of JSON", count=MAX_CONVERSATION_BYTES)
        )
    return messages


class RunCreate(Input):
    """Either `input`, which is one message of the user, or `messages`."""

    input: Said | None = None
    messages: Annotated[
        list[RunMessage], Field(max_length=MAX_MESSAGES), AfterValidator(bounded)
    ] = Field(default_factory=list)
    variables: Variables = Field(
        default_factory=dict, description="Values for each {{name}} in the system prompt."
    )
    revision: RowId | None = Field(None, description="The revision to run; default: the live one.")
    session_id: ShortText | None = Field(None, description="The conversation this run is part of.")
    tags: Tags = Field(default_factory=list)
    metadata: JsonDict | None = None
    max_turns: Annotated[int, Field(ge=1, le=MAX_TURNS)] = Field(
        DEFAULT_TURNS, description="Model calls at most, tool calls in between."
    )
    stream: Flag = Field(
        default=False, description="Answer with events as they happen; as does Accept."
    )

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if (self.input is None) == (not self.messages):
            raise ValueError(_("send one of input and messages"))
        return self

    @property
    def conversation(self) -> list[dict[str, Any]]:
        """The messages, as a model gets them."""
        if self.input is not None:
            return [{"role": "user", "content": self.input}]
        return [message.model_dump(exclude_none=True) for message in self.messages]


class Overrides(Input):
    """What the playground tries out without saving it."""

    model_name: ModelName | None = None
    system_prompt: Prompt | None = None
    max_tokens: MaxTokens | None = None
    params: JsonDict | None = None

    @property
    def changes(self) -> dict[str, Any]:
        """What differs from the revision, as JSON."""
        return self.model_dump(mode="json", exclude_none=True)


class ToolResult(Input):
    """What came of one call: any JSON, text as it is."""

    tool_call_id: ShortText
    content: Json
    is_error: Flag = False


class ToolResults(Input):
    """One for each call that the run waits for."""

    results: Annotated[list[ToolResult], Field(min_length=1, max_length=MAX_RESULTS)]
    stream: Flag = Field(default=False, description="Answer with events as they happen.")

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        ids = [result.tool_call_id for result in self.results]
        if len(set(ids)) < len(ids):
            raise ValueError(_("has a tool_call_id twice"))
        storable_json([result.content for result in self.results])
        return self
