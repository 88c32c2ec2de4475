"""What is typed on the playground: messages, variables, and one or two sides to run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from starlette.datastructures import FormData

from app.core.completions import count, items, mapping
from app.core.templating import pretty_json
from app.core.texts import _
from app.models import ExecutionBody
from app.models.executions import ExecutionSource
from app.pages import forms
from app.schemas.problems import in_words
from app.schemas.runs import Overrides, RunCreate
from app.services.conversation import text_of
from app.services.running.asking import Asked
from app.services.running.plans import variables_in

Json = dict[str, Any]
SIDES = ("left", "right")
ROLES = ("user", "assistant", "system")
FIELDS = ("revision", "base", "model_name", "max_tokens", "system_prompt", "params")
TRIED = ("model_name", "max_tokens", "system_prompt")
MAX_SHOWN_MESSAGES = 100


@dataclass(slots=True)
class Message:
    """One row of the conversation."""

    role: str
    content: str


@dataclass(slots=True)
class Draft:
    """All of the form, as typed. ``sides`` holds texts by field; ``errors`` are by control."""

    messages: list[Message]
    variables: dict[str, str] = field(default_factory=dict)
    sides: dict[str, dict[str, str]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def wanted(self) -> list[str]:
        """The variables that the prompts of the sides ask for."""
        prompts = [side["system_prompt"] for side in self.sides.values()]
        return list(dict.fromkeys(name for text in prompts for name in variables_in(text)))

    def error(self, name: str) -> str | None:
        return self.errors.get(name)


def side_of(snapshot: Json, number: int, *, is_live: bool = False) -> dict[str, str]:
    """The fields of a side that runs a revision as it is."""
    return {
        "revision": "" if is_live else str(number),
        "base": str(number),
        "model_name": snapshot["model_name"],
        "max_tokens": str(snapshot["max_tokens"]),
        "system_prompt": snapshot["system_prompt"],
        "params": pretty_json(snapshot["config"]),
    }


def draft_of(data: FormData) -> Draft:
    """The posted form. Raise ``BadRequest`` for files."""
    values = forms.typed(data, lists=("role", "content"))
    rows = zip(values["role"], values["content"], strict=False)
    messages = [
        Message(role if role in ROLES else "user", content.replace("\r\n", "\n"))
        for role, content in rows
    ]
    named = {name.removeprefix("variable."): v for name, v in values.items() if "variable." in name}
    keys = SIDES if "right.base" in values else SIDES[:1]
    sides = {key: {name: str(values.get(f"{key}.{name}", "")) for name in FIELDS} for key in keys}
    return Draft(messages or [Message("user", "")], named, sides)


@dataclass(frozen=True, slots=True)
class Tried:
    """What a run differed in from its revision."""

    revision: int | None
    overrides: Json

    @classmethod
    def of(cls, kept: Json) -> "Tried":
        """Metadata is the sender's to fill: nothing in it is believed."""
        revision = count(kept.get("revision"))
        return cls(revision, mapping(kept.get("overrides")))


def draft_of_run(body: ExecutionBody | None) -> tuple[Draft, Tried]:
    """The form that would run the same again, and what was tried out then."""
    given = mapping(body.input) if body else {}
    messages = [
        Message(str(message.get("role")), text_of(message.get("content")))
        for message in map(mapping, items(given.get("messages")))
    ]
    kept = mapping((body.details or {}).get("run")) if body else {}
    values = {k: v for k, v in mapping(kept.get("variables")).items() if isinstance(v, str)}
    draft = Draft(messages[:MAX_SHOWN_MESSAGES] or [Message("user", "")], values)
    return draft, Tried.of(kept)


def with_overrides(side: dict[str, str], changed: Mapping[str, Any]) -> dict[str, str]:
    """A side with what was changed of its revision."""
    texts = {name: str(changed[name]) for name in TRIED if name in changed}
    params = {"params": pretty_json(changed["params"])} if "params" in changed else {}
    return side | texts | params


def asked_of(draft: Draft, key: str, agent_id: int, snapshot: Json) -> Asked | None:
    """The run that a side asks for, its changes counted from ``snapshot``.

    ``None`` when something typed is not valid: the draft's errors say what.
    """
    side = draft.sides[key]
    try:
        data = RunCreate.model_validate(
            {
                "messages": [
                    {"role": message.role, "content": message.content}
                    for message in draft.messages
                    if message.content.strip()
                ],
                # A field that was left empty is a value that was forgotten.
                "variables": {n: v for n, v in draft.variables.items() if v and n in draft.wanted},
                "revision": side["revision"] or None,
            }
        )
    except ValidationError as error:
        note(draft, error, {"revision": f"{key}.revision"}, "messages")
        return None
    overrides = overrides_of(draft, key, snapshot)
    if overrides is None:
        return None
    return Asked(agent_id, data, ExecutionSource.PLAYGROUND, overrides)


def overrides_of(draft: Draft, key: str, snapshot: Json) -> Overrides | None:
    side, names = draft.sides[key], {name: f"{key}.{name}" for name in FIELDS}
    typed: Json = {name: side[name] for name in TRIED if side[name] != str(snapshot[name])}
    try:
        params = json.loads(side["params"] or "{}")
    except (ValueError, RecursionError):
        draft.errors[names["params"]] = _("is not valid JSON")
        return None
    if params != snapshot["config"]:
        typed["params"] = params
    try:
        return Overrides.model_validate(typed)
    except ValidationError as error:
        note(draft, error, names, names["model_name"])
        return None


def note(draft: Draft, error: ValidationError, names: Mapping[str, str], other: str) -> None:
    """Put each problem beside its control."""
    for problem in error.errors(include_input=False, include_url=False):
        place = str(problem["loc"][0]) if problem["loc"] else ""
        if not place:
            draft.errors.setdefault(other, _("Say something for the agent to answer."))
        draft.errors.setdefault(names.get(place, other), in_words(problem))


def results_of(data: FormData, calls: Sequence[Json]) -> Json:
    """What was typed as the results of the calls: JSON where it is JSON, else text."""
    failed = set(data.getlist("failed"))
    results = []
    for call in calls:
        typed = str(data.get(f"result.{call['id']}", ""))
        try:
            content = json.loads(typed)
        except (ValueError, RecursionError):
            content = typed
        answer = {"content": content, "is_error": call["id"] in failed}
        results.append({"tool_call_id": call["id"], **answer})
    return {"results": results}
