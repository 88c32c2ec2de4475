"""SWE-agent's trajectories in files: checked, and their two records of a run made one.

A file holds the steps under ``trajectory`` (what the model answered, the command in it, what the
shell said) and the messages under ``history``. The history may lack steps, and what the last
command said; a step holds no prompt, and an observation without the state of the shell that the
model was shown below it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.importers.files import Faults, InputError, documents_in
from app.importers.messages import ASSISTANT, parsed, text_of
from app.importers.transcripts import Message, check_message

Json = dict[str, Any]
RECORDS = ("trajectory", "history")


@dataclass(frozen=True, slots=True)
class Step:
    """What the model answered, what it heard after that, and what the command in it printed."""

    answer: Message
    heard: list[Message]
    observation: str | None


@dataclass(frozen=True, slots=True)
class Trajectory:
    """One run. ``prompt`` is all that was said before the first answer."""

    prompt: list[Message]
    steps: list[Step]
    raw: Json

    @property
    def info(self) -> Json:
        return object_at(self.raw, "info")

    @property
    def model(self) -> str | None:
        """As the newer files tell it, in the configuration that would run it again."""
        found = parsed(self.raw.get("replay_config"))
        for name in ("agent", "model"):
            found = object_at(found, name)
        name = found.get("name")
        return name.strip() if isinstance(name, str) and name.strip() else None

    @property
    def messages(self) -> list[Message]:
        return [*self.prompt, *(m for step in self.steps for m in (step.answer, *step.heard))]


def object_at(parent: Any, name: str) -> Json:  # a JSON value
    found = parent.get(name) if isinstance(parent, dict) else None
    return found if isinstance(found, dict) else {}


def trajectories_in(path: Path, faults: Faults) -> Iterator[Trajectory]:
    """The run of a file, or one on each line; what is none is told to ``faults``.

    Raise ``InputError`` for a file that cannot be read.
    """
    for line, document in documents_in(path, faults):
        try:
            yield trajectory_of(document)
        except InputError as error:
            faults(InputError(f"{path}, line {line}: {error}"))


def trajectory_of(document: Any) -> Trajectory:  # any JSON value
    """Raise ``InputError`` saying which entry of which record is wrong, counted from 1."""
    if not isinstance(document, dict) or not any(name in document for name in RECORDS):
        raise InputError("This is no trajectory: it has neither trajectory nor history.")
    records = {name: objects_in(document, name) for name in RECORDS}
    for number, message in enumerate(records["history"], 1):
        check_message(message, f"history, message {number}")
    prompt, turns = turns_of(records["history"])
    steps = merged(records["trajectory"], turns)
    if not steps:
        raise InputError("The trajectory has no steps.")
    return Trajectory(prompt, steps, document)


def objects_in(document: Json, name: str) -> list[Json]:
    found = document.get(name)
    if found is None:
        return []
    if not isinstance(found, list):
        raise InputError(f"{name} is not a list.")
    for number, entry in enumerate(found, 1):
        if not isinstance(entry, dict):
            raise InputError(f"{name}, entry {number} is not an object.")
    return found


def turns_of(history: list[Message]) -> tuple[list[Message], list[list[Message]]]:
    """The prompt, and each answer with what followed it."""
    prompt: list[Message] = []
    turns: list[list[Message]] = []
    for message in map(as_sent, history):
        if message["role"] == ASSISTANT:
            turns.append([message])
        else:
            (turns[-1] if turns else prompt).append(message)
    return prompt, turns


def as_sent(message: Message) -> Message:
    """SWE-agent keeps a list of ids where the model is sent the one that is in it."""
    ids = message.get("tool_call_ids")
    if not isinstance(ids, list) or len(ids) != 1:
        return message
    kept = {name: value for name, value in message.items() if name != "tool_call_ids"}
    return kept | {"tool_call_id": ids[0]}


def merged(trajectory: list[Json], turns: list[list[Message]]) -> list[Step]:
    """All steps of the trajectory, each with its turn; the turns alone where it lacks one."""
    left = turns[::-1]
    steps = []
    for entry in trajectory:
        turn = left.pop() if left and is_same(left[-1][0], entry) else [answer_in(entry)]
        steps.append(Step(turn[0], turn[1:], text_in(entry, "observation")))
    return [step_of(turn) for turn in turns] if left else steps


def is_same(answer: Message, entry: Json) -> bool:
    said, command = text_in(entry, "response"), text_in(entry, "action")
    if said is not None and said == text_of(answer.get("content")):
        return True
    return bool(command) and command == text_in(answer, "action")


def answer_in(entry: Json) -> Message:
    said = {name: text_in(entry, name) for name in ("thought", "action")}
    known = {name: text for name, text in said.items() if text is not None}
    return {"role": ASSISTANT, "content": text_in(entry, "response") or ""} | known


def text_in(entry: Json, name: str) -> str | None:
    found = entry.get(name)
    return found if isinstance(found, str) else None


def step_of(turn: list[Message]) -> Step:
    """Older files: what follows an answer with a command is what the command printed."""
    answer, *heard = turn
    return Step(answer, heard, text_of(heard[0].get("content")) if heard else None)
