"""The tools that transcripts define or only call, as the API takes them. Pure functions."""

from collections.abc import Iterator
from typing import Any

from app.importers.messages import ASSISTANT, SYSTEM_ROLES, calls_in, known_model, text_of
from app.importers.transcripts import Transcript

Tool = dict[str, Any]  # the body of POST /api/v1/tools
SEEN_ONLY = "Seen in imported transcripts, which hold no definition of it."


def key_of(name: str) -> str:
    """Greenroom keeps names in lower case."""
    return name.strip().lower()


def definitions_in(extras: dict[str, Any]) -> Iterator[Tool]:
    """The run's ``tools`` or ``functions``, in OpenAI's nested or flat form."""
    for field in ("tools", "functions"):
        listed = extras.get(field)
        for entry in listed if isinstance(listed, list) else []:
            nested = entry.get("function") if isinstance(entry, dict) else None
            function = nested if isinstance(nested, dict) else entry
            if isinstance(function, dict) and isinstance(function.get("name"), str):
                yield tool_of(function)


def tool_of(function: dict[str, Any]) -> Tool:
    description, parameters = function.get("description"), function.get("parameters")
    return {
        "name": function["name"],
        "description": description if isinstance(description, str) else None,
        "parameters": parameters
        if isinstance(parameters, dict)
        else {"type": "object", "properties": {}},
    }


class Survey:
    """What a file of transcripts says about its agent, gathered run by run."""

    def __init__(self) -> None:
        self.runs = 0
        self.system_prompt: str | None = None
        self.model: str | None = None
        self._defined: dict[str, Tool] = {}
        self._arguments: dict[str, dict[str, None]] = {}
        self._names: dict[str, str] = {}

    def add(self, transcript: Transcript) -> None:
        self.runs += 1
        self.model = self.model or known_model(*transcript.messages, transcript.extras)
        for tool in definitions_in(transcript.extras):
            self._defined.setdefault(key_of(tool["name"]), tool)
        for message in transcript.messages:
            if message["role"] in SYSTEM_ROLES and self.system_prompt is None:
                self.system_prompt = text_of(message.get("content"))
            if message["role"] == ASSISTANT:
                self._note_calls(message)

    def _note_calls(self, message: dict[str, Any]) -> None:
        for call in calls_in(message):
            key = key_of(call.name)
            self._names.setdefault(key, call.name)
            names = self._arguments.setdefault(key, {})
            if isinstance(call.arguments, dict):
                names.update(dict.fromkeys(call.arguments))

    def tools(self) -> list[Tool]:
        """By name. Nothing is known of an argument that was only seen, so nothing is said."""
        seen = {key: self._seen_only(key) for key in self._names}
        return [tool for _, tool in sorted((seen | self._defined).items())]

    def _seen_only(self, key: str) -> Tool:
        properties: dict[str, Any] = {name: {} for name in sorted(self._arguments[key])}
        return {
            "name": self._names[key],
            "description": SEEN_ONLY,
            "parameters": {"type": "object", "properties": properties},
        }
