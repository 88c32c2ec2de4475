"""Answers that were cut off: by what the provider says, or by what they look like."""

import json
import re
from collections.abc import Iterator
from typing import Any

from app.schemas.analyses import Finding, FindingKind, Severity
from app.services.analysis.counting import Sighting, Sightings, sighting
from app.services.analysis.findings import finding
from app.services.analysis.runs import Run, Step
from app.services.analysis.words import share, was
from app.services.conversation import calls_in, messages_of, text_of

# OpenTelemetry's name first, then those of other dialects.
REASON_ATTRIBUTES = (
    "gen_ai.response.finish_reasons",
    "gen_ai.response.finish_reason",
    "llm.finish_reason",
    "ai.response.finishReason",
)
CUT_OFF = frozenset({"length", "max_tokens", "max_output_tokens", "model_length", "incomplete"})
# Shorter texts may end in any way, such as a name or a heading.
MIN_TEXT = 80
OPEN_END = re.compile(r"(?:[,(\[{]|\b(?:a|an|the|and|or|but|of|to|with|because|which|that))$")
FENCE = "```"


class Outputs:
    """``told`` are cut off by what the provider or the limit says, ``looks`` by their looks."""

    def __init__(self) -> None:
        self.answers = 0
        self.told = Sightings()
        self.looks = Sightings()
        self.final = 0

    def add(self, run: Run) -> None:
        steps = run.model_steps
        told, looks = [], []
        for place, step in enumerate(steps):
            is_last = place == len(steps) - 1
            if (why := told_to_be_cut(step, run)) is not None:
                told.append(cut_off(run, step, why, is_last=is_last))
            elif not reasons_of(step) and (why := looks_cut(step.output)) is not None:
                looks.append(cut_off(run, step, why, is_last=is_last))
        if not steps and run.has_ended and (why := looks_cut(run.output)) is not None:
            looks.append(sighting(run.id, note=why))
        self.answers += len(steps) or (run.output is not None)
        self.told.note(told)
        self.looks.note(looks)
        self.final += any(one.rank == 0 for one in told)

    def merge(self, other: "Outputs") -> None:
        self.answers += other.answers
        self.told.merge(other.told)
        self.looks.merge(other.looks)
        self.final += other.final

    def findings(self) -> Iterator[Finding]:
        if self.told.total:
            every = self.final == self.told.total
            ends = "each ended its run" if every else f"{self.final:,} of them ended a run"
            last = f"; {ends}" if self.final else ""
            yield finding(
                FindingKind.TRUNCATED_OUTPUTS,
                Severity.HIGH if self.final else Severity.MEDIUM,
                f"{share(self.told.total, self.answers, 'answer')} of the model "
                f"{was(self.told.total)} cut off at the token limit{last}.",
                self.told,
                detail="Raise the agent's max tokens, or ask for shorter answers.",
            )
        if self.looks.total:
            yield finding(
                FindingKind.BREAKING_OFF,
                Severity.LOW,
                f"{share(self.looks.total, self.answers, 'answer')} of the model "
                f"{'looks' if self.looks.total == 1 else 'look'} cut off; no reason was reported.",
                self.looks,
                detail="Told by what the text looks like: a code block or JSON that never closes, "
                "or a sentence that stops in the middle.",
            )


def cut_off(run: Run, step: Step, why: str, *, is_last: bool) -> Sighting:
    """The last answers of runs first."""
    note = f"{why}; the last answer" if is_last else why
    return sighting(run.id, step.hex_id, note, rank=0 if is_last else 1)


def reasons_of(step: Step) -> set[str]:
    """Why the model stopped, in lower case; empty where it was not reported."""
    found = [(step.attributes or {}).get(name) for name in REASON_ATTRIBUTES]
    found += [message.get("finish_reason") for message in messages_of(step.output, "assistant")]
    if isinstance(step.output, dict) and isinstance(step.output.get("choices"), list):
        found += [c.get("finish_reason") for c in step.output["choices"] if isinstance(c, dict)]
    return {reason.lower() for value in found for reason in texts_of(value)}


def texts_of(value: Any) -> list[str]:  # text, a list of texts, or one written as JSON
    if isinstance(value, str) and value.startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            return [value]
    listed = value if isinstance(value, list) else [value]
    return [item for item in listed if isinstance(item, str) and item]


def told_to_be_cut(step: Step, run: Run) -> str | None:
    if reasons := reasons_of(step) & CUT_OFF:
        return f"finish reason {min(reasons)}"
    limit = run.revision.max_tokens if run.revision else None
    if limit and step.output_tokens is not None and step.output_tokens >= limit:
        return f"{step.output_tokens:,} output tokens, the limit is {limit:,}"
    return None


def looks_cut(output: Any) -> str | None:  # any JSON value
    """The first sign of it in the last message, if there is one."""
    messages = messages_of(output, "assistant")
    if not messages:
        return None
    for call in calls_in(messages[-1]):
        if isinstance(call.arguments, str) and call.arguments.lstrip().startswith("{"):
            return f"the arguments of {call.name} break off"
    return sign_in(text_of(messages[-1].get("content")).strip())


def sign_in(text: str) -> str | None:
    if text.count(FENCE) % 2:
        return "a code block never closes"
    if text.startswith(("{", "[")) and breaks_off(text):
        return "JSON breaks off"
    if len(text) >= MIN_TEXT and OPEN_END.search(text):
        return f"it ends in “…{text[-30:]}”"
    return None


def breaks_off(text: str) -> bool:
    """Whether JSON is missing its end, rather than being none at all."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.pos >= len(text) or error.msg.startswith("Unterminated")
    except (ValueError, RecursionError):
        return False
    return False
