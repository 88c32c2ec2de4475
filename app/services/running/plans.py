"""What exactly is run: a revision's snapshot, what the playground changes of it, the variables.

Pure functions. A plan is made once, when a run is asked for, and kept with it.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from app.core.texts import lazy
from app.exceptions import Invalid
from app.models.tools import ToolKind
from app.schemas.runs import Overrides, RunCreate

Json = dict[str, Any]
VARIABLE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]{0,99})\s*\}\}")
# What of an agent's free config are fields of a chat completion; the rest is for its runtimes.
PASSED_ON = (
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "n",
    "parallel_tool_calls",
    "presence_penalty",
    "reasoning_effort",
    "response_format",
    "seed",
    "service_tier",
    "stop",
    "temperature",
    "tool_choice",
    "top_logprobs",
    "top_p",
    "verbosity",
)
ABOUT_TOOLS = frozenset({"parallel_tool_calls", "tool_choice"})
# OpenAI's reasoning models refuse the older name; other servers may not know the newer one.
COUNTS_COMPLETION = re.compile(r"(openai/)?(o\d|gpt-5)")


class PlannedTool(BaseModel):
    """A tool as the model is offered it. With an endpoint Greenroom calls it, else the caller."""

    model_config = ConfigDict(frozen=True)

    tool_id: int
    name: str
    description: str | None
    parameters: Json
    endpoint: Json | None

    @property
    def offer(self) -> Json:
        function = {"name": self.name, "parameters": self.parameters}
        described = {"description": self.description} if self.description else {}
        return {"type": "function", "function": function | described}


class Plan(BaseModel):
    """Stored as JSON beside the run."""

    model_config = ConfigDict(frozen=True)

    agent_id: int
    agent_name: str
    model: str
    system_prompt: str
    params: Json
    tools: list[PlannedTool]
    max_turns: int

    def tool(self, name: str) -> PlannedTool | None:
        return next((tool for tool in self.tools if tool.name == name), None)

    def opening(self, messages: list[Json]) -> list[Json]:
        """The conversation as the model gets it first."""
        prompt = {"role": "system", "content": self.system_prompt}
        return ([prompt] if self.system_prompt else []) + messages


def variables_in(prompt: str) -> list[str]:
    """The names in ``{{name}}``, in their order, each once."""
    return list(dict.fromkeys(VARIABLE.findall(prompt)))


def substituted(prompt: str, values: Mapping[str, str]) -> str:
    """The prompt with each ``{{name}}`` replaced, once: values are text, whatever is in them.

    Raise ``Invalid`` naming what has no value.
    """
    missing = [name for name in variables_in(prompt) if name not in values]
    if missing:
        names = ", ".join(missing)
        raise Invalid(
            lazy("The system prompt has no value for: %(names)s.", names=names), field="variables"
        )
    return VARIABLE.sub(lambda found: values[found[1]], prompt)


def params_of(model: str, max_tokens: int, config: Json, *, has_tools: bool) -> Json:
    """The fields of a chat completion beside model, messages and tools."""
    given = {name: config[name] for name in PASSED_ON if config.get(name) is not None}
    kept = {k: v for k, v in given.items() if has_tools or k not in ABOUT_TOOLS}
    limit = "max_completion_tokens" if COUNTS_COMPLETION.match(model) else "max_tokens"
    return kept | {limit: max_tokens}


def tools_of(snapshot: Json, usable: Collection[int]) -> list[PlannedTool]:
    return [
        PlannedTool(
            tool_id=tool["id"],
            name=tool["name"],
            description=tool["description"],
            parameters=tool["parameters"],
            endpoint=tool.get("endpoint") if tool["kind"] == ToolKind.HTTP else None,
        )
        for tool in snapshot["tools"]
        if tool["id"] in usable
    ]


def plan_of(
    agent: tuple[int, str],
    snapshot: Json,
    data: RunCreate,
    overrides: Overrides,
    usable: Collection[int],
) -> Plan:
    """``agent`` is its id and name, ``usable`` are the tools that are in use now.

    Raise ``Invalid`` when a variable has no value.
    """
    model = overrides.model_name or snapshot["model_name"]
    prompt = overrides.system_prompt
    config = snapshot["config"] if overrides.params is None else overrides.params
    tools = tools_of(snapshot, usable)
    limit = overrides.max_tokens or snapshot["max_tokens"]
    return Plan(
        agent_id=agent[0],
        agent_name=agent[1],
        model=model,
        system_prompt=substituted(
            snapshot["system_prompt"] if prompt is None else prompt, data.variables
        ),
        params=params_of(model, limit, config, has_tools=bool(tools)),
        tools=tools,
        max_turns=data.max_turns,
    )
