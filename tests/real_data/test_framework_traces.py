"""Ten agent frameworks: what their published traces say, read by us.

The conversation that one should be able to read is published beside each trace.
"""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from app.models.spans import SpanKind
from app.services.conversation import Turn, conversation_of
from app.services.ingestion.dialects import read_span
from app.services.ingestion.facts import SpanFacts
from tests.otlp.framework_traces import (
    FOLDER,
    NAMES,
    conversations,
    decoded,
    observations,
    spans,
)

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not FOLDER.exists(), reason="the published traces are not here"),
]
Json = Any  # a JSON value

KINDS = {
    "GENERATION": SpanKind.LLM,
    "TOOL": SpanKind.TOOL,
    "AGENT": SpanKind.AGENT,
    "CHAIN": SpanKind.CHAIN,
    "SPAN": SpanKind.OTHER,
}
# Steps that Langfuse knows no kind of, while their attributes say it.
BETTER_KINDS = {
    "Agent.run": SpanKind.AGENT,
    "duckduckgo_search": SpanKind.TOOL,
    "claude.conversation": SpanKind.CHAIN,
    "node.__start__": SpanKind.CHAIN,
    "node.nodeCallLLM": SpanKind.CHAIN,
    "node.nodeExecuteTool": SpanKind.CHAIN,
    "node.nodeSendToolResult": SpanKind.CHAIN,
    "node.__finish__": SpanKind.CHAIN,
    "tool.HelloTool": SpanKind.TOOL,
    "tool.ByeTool": SpanKind.TOOL,
    "joke_agent run": SpanKind.AGENT,
    "evaluator_agent run": SpanKind.AGENT,
}

NO_WORDS = "the published conversation holds only metadata of a value, no words"
TOOL_VALUE = "a tool's own answer stays the value that it is"
PLAIN_VALUE = "a value that is no conversation stays as it is"
KOOG = "Koog writes the model's calls as JSON text, the published one keeps it; we read the calls"
SYSTEM = "the instructions are among the numbered messages; the published one leaves them out"
ANSWER = "Gemini's function responses are told by the role tool, not by the user"
# By the ids of observations; what is not here is equal.
DEVIATIONS: dict[tuple[str, str], str] = {
    ("b38a82eaa62b551e", "input"): "published without words; three of four messages were sent",
    ("ca136de468e156c9", "input"): "published without words; both messages were sent",
    ("f411dab686a064b1", "output"): TOOL_VALUE,
    ("edbd987c5f361fdf", "output"): TOOL_VALUE,
    ("04290e4d82aba1bc", "output"): NO_WORDS,
    ("bded677884f031ce", "input"): ANSWER,
    ("e44e72cf2d221781", "input"): KOOG,
    ("042f9350c3729147", "output"): KOOG,
    ("90d94774e8e3724d", "input"): SYSTEM,
    ("98870087af69bf06", "input"): SYSTEM,
    ("00d3f40ee8e3b716", "output"): PLAIN_VALUE,
    ("02d7769b76595f0b", "output"): NO_WORDS,
    ("199eff9980ea8b99", "output"): NO_WORDS,
    ("99ec63d0b5ecdbf5", "output"): NO_WORDS,
}


def read(name: str) -> dict[str, SpanFacts]:
    return {span_id: read_span(span) for span_id, span in decoded(name).items()}


@pytest.mark.parametrize("name", NAMES)
def test_kinds_are_those_that_the_steps_say(name: str) -> None:
    facts = read(name)
    wanted = {
        o.raw["id"]: BETTER_KINDS.get(o.raw["name"], KINDS[o.raw["type"]])
        for o in observations(name)
    }
    assert {step: found.kind for step, found in facts.items()} == wanted


@pytest.mark.parametrize("name", NAMES)
def test_models_and_tokens_are_those_that_were_counted(name: str) -> None:
    facts = read(name)
    for observation in observations(name):
        usage, found = observation.raw["usageDetails"], facts[observation.raw["id"]]
        if observation.raw["type"] == "GENERATION":
            assert (found.usage.input, found.usage.output) == (usage["input"], usage["output"])
            assert found.model_name == observation.raw["model"].rpartition("/")[2]
            assert not found.usage.counted_apart


def told(message: Json) -> tuple[Json, ...]:
    """A message, ours or a published one, by what it says."""
    role = {"model": "assistant"}.get(message.get("role"), message.get("role"))
    content = message.get("content")
    blocks = content if isinstance(content, list) and message.get("role") != "tool" else []
    text = "\n".join(b["text"] for b in blocks if b.get("type") == "text") if blocks else content
    calls = [call_told(call) for call in message.get("tool_calls") or []]
    calls += [
        (block["id"], block["name"], block["input"])
        for block in blocks
        if block.get("type") == "tool_use"
    ]
    text = text if isinstance(text, str | None) else json.dumps(text)
    return role, text or "", calls, message.get("tool_call_id")


def call_told(call: Json) -> tuple[str, str, Json]:
    inner = call.get("function") or call
    return call.get("id") or "", inner["name"], json.loads(inner["arguments"])


def deviates(published: Json, ours: Json) -> bool:
    if not isinstance(ours, list) or not all(isinstance(m, dict) for m in ours):
        return True
    return [told(message) for message in ours] != [told(message) for message in published]


@pytest.mark.parametrize("name", NAMES)
def test_conversations_are_those_that_one_should_be_able_to_read(name: str) -> None:
    facts = read(name)
    different = set()
    for observation_id, sides in conversations(name).items():
        for side, published in sides.items():
            ours = getattr(facts[observation_id], side)
            if published["success"] and deviates(published["data"], ours):
                different.add((observation_id, side))
    known = {key for key in DEVIATIONS if key[0] in facts}
    assert different == known


def test_langgraph_names_its_thread_and_its_provider() -> None:
    facts = read("langgraph-python-2025-08-22")
    assert {found.session_id for found in facts.values()} == {"demo-thread-1"}
    models = [found for found in facts.values() if found.kind is SpanKind.LLM]
    assert {found.provider for found in models} == {"openai"}


def test_agents_are_named() -> None:
    joke = read("pydantic-ai-tools-2025-12-04").values()
    agents = [found.agent.name for found in joke if found.kind is SpanKind.AGENT]
    assert agents == ["joke_agent", "joke_agent", "evaluator_agent"]
    openai = read("openai-agents-2025-09-30").values()
    assert "Hello world" in {found.agent.name for found in openai}


def turns_of(name: str) -> list[Turn]:
    """The conversation that the page of the run shows."""
    steps = []
    for span in spans(name):
        facts = read_span(span)
        usage = {"input_tokens": facts.usage.input, "output_tokens": facts.usage.output}
        kept = ("name", "status", "start_ns", "end_ns", "span_id", "parent_span_id")
        own = {key: getattr(span, key) for key in kept}
        read = ("kind", "input", "output", "tool_name", "model_name", "attributes")
        known = {key: getattr(facts, key) for key in read}
        steps.append(SimpleNamespace(**own, **known, **usage, cost=None))
    return conversation_of(steps)


# Agno is instrumented twice, and most of what the agent of Claude was given was lost.
TOLD = {
    "agno-2025-06-11": ("system user assistant assistant", 1),
    "claude-agent-2025-12-22": ("user assistant assistant assistant assistant", 2),
    "google-adk-2025-08-28": ("system user assistant assistant", 1),
    "koog-2025-08-26": ("system user assistant assistant assistant", 2),
    "langgraph-python-2025-08-22": ("user user assistant assistant", 1),
    "llamaindex-2025-06-05": ("user assistant", 0),
    "microsoft-agent-2025-12-17": ("user assistant assistant", 1),
    "openai-agents-2025-09-30": ("system user assistant assistant", 1),
    "pydantic-ai-tools-2025-12-04": (
        "system user assistant assistant user assistant system user assistant",
        3,
    ),
    "vertex-ai-2025-08-01": ("user assistant", 0),
}


@pytest.mark.parametrize("name", TOLD)
def test_run_is_told_once_and_its_calls_with_their_results(name: str) -> None:
    roles, answered = TOLD[name]
    turns = turns_of(name)
    assert " ".join(turn.role for turn in turns) == roles
    calls = [call for turn in turns for call in turn.calls]
    assert sum(call.result is not None for call in calls) == answered
