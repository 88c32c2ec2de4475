"""What Langfuse keeps of a span, under the names that it was sent with. Pure functions.

Langfuse reads spans as they come: attributes become text, and some move into fields of the
observation. Where they moved to is known for its own SDK; for others it is a guess by scope:

* ``langsmith``: input and output were ``gen_ai.prompt`` and ``gen_ai.completion``.
* ``agent_framework`` and ``pydantic-ai``: messages were ``gen_ai.input.messages`` and
  ``gen_ai.output.messages``; a tool had names of its own for what it was given and answered.
* Token counts that are not among the attributes were in the names of that instrumentation. Some
  may never have been sent: Langfuse counts tokens itself where nobody says.

Costs are Langfuse's own arithmetic unless it says that they were provided.
"""

import json
from dataclasses import dataclass
from typing import Any

Json = Any  # a JSON value
Attributes = dict[str, Json]
OWN_SCOPE = "langfuse-sdk"
ABOUT_THE_SPAN = ("resourceAttributes", "scope")
COUNTS = ("_tokens", ".total", ".prompt", ".completion", ".cache_read", ".audio", ".reasoning")
NUMBERS = ("gen_ai.request.temperature", "gen_ai.client.operation.duration", "operation.cost")
LISTS = ("gen_ai.response.finish_reasons",)
USAGE = ("gen_ai.usage.", "llm.token_count.")
COST = "langfuse.observation.cost_details"
MESSAGES = ("gen_ai.input.messages", "gen_ai.output.messages")
WORDS = ("gen_ai.prompt", "gen_ai.completion")
# By scope: what messages were called, and what a tool's arguments and result were.
MOVED = {
    "langsmith": (WORDS, WORDS),
    "agent_framework": (MESSAGES, ("gen_ai.tool.call.arguments", "gen_ai.tool.call.result")),
    "pydantic-ai": (MESSAGES, ("tool_arguments", "tool_response")),
}


@dataclass(frozen=True, slots=True)
class Observation:
    """One step as Langfuse exports it, beside its trace without the steps."""

    raw: dict[str, Json]
    trace: dict[str, Json]

    @property
    def metadata(self) -> dict[str, Json]:
        return object_in(self.raw.get("metadata"))

    @property
    def resource(self) -> dict[str, Json]:
        return object_in(self.metadata.get("resourceAttributes"))

    @property
    def scope(self) -> tuple[str, str]:
        """Name and version; Langfuse's own where nothing is said."""
        said = object_in(self.metadata.get("scope"))
        return str(said.get("name") or OWN_SCOPE), str(said.get("version") or "")

    @property
    def usage(self) -> dict[str, Json]:
        return object_in(self.raw.get("usageDetails"))


def object_in(value: Json) -> dict[str, Json]:
    """An object, also where it is text; empty for anything else."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def attributes_of(observation: Observation) -> Attributes:
    scope, _ = observation.scope
    if scope == OWN_SCOPE:
        return own_attributes(observation) | cost_of(observation)
    given = object_in(observation.metadata.get("attributes"))
    attributes = {name: as_sent(name, value) for name, value in given.items()}
    if scope in MOVED:
        attributes |= moved_words(observation, *MOVED[scope])
    return attributes | moved_usage(observation, attributes) | cost_of(observation)


def as_sent(name: str, value: Json) -> Json:
    """Numbers and lists from their text; objects, which few senders have, as JSON."""
    if isinstance(value, str):
        return number_or_list(name, value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    return as_text(value)


def number_or_list(name: str, text: str) -> Json:
    """The value that the name asks for; the text itself where it is no such value."""
    if name.endswith(COUNTS) and text.isascii() and text.isdigit():
        return int(text)
    try:
        if name in NUMBERS:
            return float(text)
        return json.loads(text) if name in LISTS else text
    except ValueError:
        return text


def as_text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def moved_words(
    observation: Observation, messages: tuple[str, str], tool: tuple[str, str]
) -> Attributes:
    names = tool if observation.raw.get("type") == "TOOL" else messages
    values = (observation.raw.get("input"), observation.raw.get("output"))
    pairs = zip(names, values, strict=True)
    return {name: as_text(value) for name, value in pairs if value is not None}


def moved_usage(observation: Observation, attributes: Attributes) -> Attributes:
    """Unknown stays unknown: what Langfuse has no count of is left out."""
    if any(name.startswith(USAGE) for name in attributes):
        return {}
    scope, _ = observation.scope
    names = {"input": "gen_ai.usage.input_tokens", "output": "gen_ai.usage.output_tokens"}
    if scope.startswith("openinference."):
        names = {"input": "llm.token_count.prompt", "output": "llm.token_count.completion"}
    usage = observation.usage
    return {name: usage[side] for side, name in names.items() if usage.get(side) is not None}


def cost_of(observation: Observation) -> Attributes:
    provided = object_in(observation.raw.get("providedCostDetails"))
    return {COST: as_text(provided)} if provided else {}


def own_attributes(observation: Observation) -> Attributes:
    """As Langfuse's own SDK sends them."""
    raw, trace = observation.raw, observation.trace
    values = {
        "langfuse.observation.type": str(raw.get("type") or "span").lower(),
        "langfuse.observation.input": raw.get("input"),
        "langfuse.observation.output": raw.get("output"),
        "langfuse.observation.model.name": raw.get("model"),
        "langfuse.observation.usage_details": observation.usage or None,
        "langfuse.observation.level": raw.get("level"),
        "langfuse.environment": raw.get("environment"),
        "session.id": trace.get("sessionId"),
        "user.id": trace.get("userId"),
    }
    sent: Attributes = {k: as_text(value) for k, value in values.items() if value is not None}
    for name, value in observation.metadata.items():
        if name not in ABOUT_THE_SPAN:
            sent[f"langfuse.observation.metadata.{name}"] = as_text(value)
    return sent | ({"langfuse.trace.tags": trace["tags"]} if trace.get("tags") else {})
