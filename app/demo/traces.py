"""One run of the demo as its runtime would have reported it, steps and all."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from app.demo.company import DRIFTED, DemoAgent
from app.demo.stories import Asks, Calls, Says, Story
from app.demo.words import BLAME, CHANNELS, LOCALES, PRAISE, WORDS

Json = dict[str, Any]  # a JSON object
CHARACTERS_PER_TOKEN = 4
TOKENS_PER_S = 70
UNSEEN_TOKENS = 640  # the handbook of the company, and the schema of each tool
DRIFT = 0.22
SLOW, SLOW_FACTOR = 0.03, 9
RATED = 0.14
TROUBLES = (
    ("provider_timeout", "The provider did not answer within 60 seconds."),
    ("provider_timeout", "The provider did not answer within 60 seconds."),
    ("provider_rate_limited", "429: too many tokens per minute on this key."),
    ("tool_unreachable", "The tool's server refused the connection."),
    ("output_invalid", "The answer was not the JSON that was asked for."),
)


@dataclass(frozen=True, slots=True)
class Occasion:
    """When and by what a run happened; ``ends`` is how: a status of an execution."""

    number: int
    agent: DemoAgent
    model: str
    revision: int
    started_at: datetime
    session_id: str
    ends: str


def filled(value: Any, words: Mapping[str, str]) -> Any:  # any JSON value
    match value:
        case str():
            return value.format_map(words)
        case list():
            return [filled(item, words) for item in value]
        case dict():
            return {key: filled(item, words) for key, item in value.items()}
        case _:
            return value


def tokens_of(value: Any) -> int:  # any JSON value
    return len(json.dumps(value)) // CHARACTERS_PER_TOKEN


class TraceWriter:
    """Tells a story as steps, one after the other, and keeps the clock."""

    def __init__(self, occasion: Occasion, random: Random) -> None:
        self.occasion, self.random = occasion, random
        self.words = {name: random.choice(choices) for name, choices in WORDS.items()}
        self.now = occasion.started_at
        self.pace = SLOW_FACTOR if random.random() < SLOW else 1
        self.said: list[Json] = [{"role": "system", "content": occasion.agent.prompt}]
        self.spans: list[Json] = []
        self.root = f"{occasion.number:08x}{random.getrandbits(32):08x}"

    def step(self, kind: str, name: str, seconds: float, **values: Any) -> None:
        """A step that takes so long, in the middle of ``seconds`` that are usual."""
        began = self.now + timedelta(milliseconds=self.random.randint(2, 30))
        took = seconds * self.random.lognormvariate(0, 0.35) * self.pace
        self.now = began + timedelta(seconds=took)
        span = {
            "span_id": f"{self.random.getrandbits(63) | 1:016x}",
            "parent_span_id": self.root,
            "kind": kind,
            "name": name,
            "status": "ok",
            "started_at": began,
            "ended_at": self.now,
        }
        self.spans.append(span | values)

    def model_step(self, answer: Json) -> None:
        """Ask the model with all that was said, and note what it answers."""
        tokens_in = tokens_of(self.said) + UNSEEN_TOKENS * (1 + len(self.occasion.agent.tools))
        tokens_out = tokens_of(answer)
        cached = tokens_in // 2 if len(self.said) > 4 else 0
        self.step(
            "llm",
            f"chat {self.occasion.model}",
            0.4 + tokens_out / TOKENS_PER_S,
            model=self.occasion.model,
            provider=self.occasion.agent.provider,
            input_tokens=tokens_in,
            output_tokens=tokens_out,
            cached_tokens=cached,
            input=list(self.said),
            output=answer,
        )
        self.said.append(answer)

    def tool_step(self, call: Calls) -> None:
        call_id = f"call_{self.random.getrandbits(40):010x}"
        arguments = self.arguments_of(call)
        function = {"name": call.tool, "arguments": json.dumps(arguments)}
        asked = {"id": call_id, "type": "function", "function": function}
        self.model_step({"role": "assistant", "content": None, "tool_calls": [asked]})
        result = filled(call.result, self.words)
        self.step(
            "tool",
            f"execute_tool {call.tool}",
            0.35,
            tool_name=call.tool,
            status="error" if call.fails else "ok",
            input=arguments,
            output=result,
        )
        text = result if isinstance(result, str) else json.dumps(result)
        self.said.append({"role": "tool", "tool_call_id": call_id, "content": text})

    def arguments_of(self, call: Calls) -> Json:
        arguments: Json = filled(dict(call.arguments), self.words)
        if call.tool == DRIFTED and self.random.random() < DRIFT:
            arguments["departure"] = f"next {self.words['day']}"  # not as the schema has it
            del arguments["date"]
        return arguments

    def tell(self, story: Story) -> None:
        """As far as it goes: troubles end it before the last answer, open runs in the middle."""
        is_whole = self.occasion.ends == "succeeded"
        for part in story if is_whole else story[: max(1, len(story) - 1)]:
            match part:
                case Asks(text):
                    self.said.append({"role": "user", "content": filled(text, self.words)})
                case Says(text):
                    answer = {"role": "assistant", "content": filled(text, self.words)}
                    self.model_step(answer)
                case Calls():
                    self.tool_step(part)


def report_of(occasion: Occasion, story: Story, random: Random) -> Json:
    """What ``POST /api/v1/executions`` would take."""
    writer = TraceWriter(occasion, random)
    writer.tell(story)
    channel = random.choice(CHANNELS)
    asked = next(m for m in writer.said if m["role"] == "user")
    report = {
        "agent": occasion.agent.name,
        "external_id": f"demo-{occasion.number:06}",
        "revision": occasion.revision,
        "session_id": occasion.session_id,
        "started_at": occasion.started_at,
        "status": occasion.ends,
        "model": occasion.model,
        "input": {"messages": [asked]},
        "tags": ["demo", channel] + (["vip"] if random.random() < 0.06 else []),
        "metadata": {"channel": channel, "locale": random.choice(LOCALES)},
    }
    return report | dict(endings(occasion, writer, random)) | {"spans": spans_of(occasion, writer)}


def spans_of(occasion: Occasion, writer: TraceWriter) -> list[Json]:
    """The steps and what is around them."""
    root = {
        "span_id": writer.root,
        "kind": "agent",
        "name": f"invoke_agent {occasion.agent.name}",
        "status": {"failed": "error", "succeeded": "ok"}.get(occasion.ends, "unset"),
        "started_at": occasion.started_at,
        "attributes": {"gen_ai.agent.name": occasion.agent.name, "service.name": "demo"},
    }
    ended = {} if occasion.ends == "running" else {"ended_at": writer.now}
    return [root | ended, *writer.spans]


def endings(
    occasion: Occasion, writer: TraceWriter, random: Random
) -> Iterator[tuple[str, Any]]:  # any JSON value
    if occasion.ends == "running":
        return
    if occasion.ends == "failed":
        kind, text = random.choice(TROUBLES)
        writer.now += timedelta(seconds=60 if "timeout" in kind else 1)
        yield from (("error_type", kind), ("error", text))
    else:
        yield "output", writer.said[-1].get("content")
    yield "ended_at", writer.now
    if random.random() < RATED:
        yield "feedback", [feedback_on(occasion.ends == "succeeded", random)]


def feedback_on(went_well: bool, random: Random) -> Json:
    is_good = went_well and random.random() < 0.8
    comments = PRAISE if is_good else BLAME
    comment = {"comment": random.choice(comments)} if random.random() < 0.5 else {}
    return {"name": "rating", "value": int(is_good)} | comment
