"""Conversations in any known shape, to OpenAI's chat messages.

``{role, content, tool_calls, reasoning_content, name, tool_call_id}``: content is text, ``None``
beside calls, or a list of parts; what a model thought is ``reasoning_content``. Values are JSON
trees, at most 64 deep. Functions answer ``None`` where a value is no conversation.
"""

from collections import OrderedDict
from collections.abc import Callable

from app.services.ingestion.dialects.parts import (
    Json,
    Message,
    Said,
    add_part,
    add_reasoning,
    call_of,
    first_of,
    result_of,
    text_from,
)

Messages = list[Message]
MAX_WRAPPERS = 6  # an answer in a list in a response

ROLES = {
    "human": "user",
    "ai": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "developer": "system",
    "function": "tool",
    "HumanMessage": "user",
    "AIMessage": "assistant",
    "AIMessageChunk": "assistant",
    "SystemMessage": "system",
    "ToolMessage": "tool",
}
PLAIN_ROLES = ("system", "user", "assistant")
PLAIN_KEYS = frozenset(["role", "content", "parts", "finish_reason"])
# Items of OpenAI's Responses are messages by their type alone.
CALLS = frozenset(["function_call", "custom_tool_call"])
RESULTS = frozenset(["function_call_output", "custom_tool_call_output"])


class Conversation(list[Message]):
    """Messages in our form already."""


def said_by(role: str, text: str) -> Message:
    return {"role": role, "content": text}


def is_message(item: Json) -> bool:
    if type(item) is not dict:
        return False
    if isinstance(item.get("role"), str):
        return True
    kind = item.get("type")
    if not isinstance(kind, str):
        return False
    if kind in ROLES or kind in ("system", "tool", "user", "assistant"):
        return "content" in item or "data" in item
    return kind in CALLS or kind in RESULTS or kind == "reasoning" or _is_constructor(item)


def _is_constructor(item: Message) -> bool:
    return item.get("type") == "constructor" and isinstance(item.get("kwargs"), dict)


def conversation_in(value: Json, role: str, *, strict: bool = False) -> Messages | None:
    """The messages that a value is, or wraps; text in a response is said by ``role``.

    ``strict`` leaves alone what only looks like the request or answer of a model.
    """
    return _conversation(value, role, strict, MAX_WRAPPERS)


def _conversation(value: Json, role: str, strict: bool, depth: int) -> Messages | None:
    if depth <= 0:
        return None
    if type(value) is list:
        return _from_list(value, role, strict, depth)
    if type(value) is not dict:
        return None
    if is_message(value):
        return messages_from(value, role)
    for key, unwrap in STRICT_WRAPPERS if strict else WRAPPERS:
        if key in value:
            found = unwrap(value, role, depth)
            if found:
                return found
    return None


def _from_list(items: list[Json], role: str, strict: bool, depth: int) -> Messages | None:
    if len(items) == 1 and type(items[0]) is list:  # LangChain's batches
        return _conversation(items[0], role, strict, depth - 1)
    if not items or not all(map(is_message, items)):
        return None
    found: Messages = []
    for item in items:
        found += messages_from(item, role)
    return found


def messages_from(item: Message, role: str) -> Messages:
    """One item as messages: answers of tools are messages of their own."""
    given = item.get("role")
    if given in PLAIN_ROLES and item.keys() <= PLAIN_KEYS:  # most are a role with words
        words = item.get("content")
        if words is None:
            words = _only_text(item.get("parts"))
        if type(words) is str:
            return [{"role": given, "content": words}]
    return _messages_from(item, role)


def _only_text(parts: Json) -> Json:
    if type(parts) is list and len(parts) == 1:
        part = parts[0]
        if type(part) is dict and part.get("type") == "text":
            return part.get("content")
    return None


def _messages_from(item: Message, role: str) -> Messages:
    kind = item.get("type")
    if type(kind) is str:
        if kind in CALLS:
            return [{"role": "assistant", "content": None, "tool_calls": [call_of(item)]}]
        if kind in RESULTS:
            return [result_of(item)]
        if kind == "reasoning" and "role" not in item:
            return _thought(item)
        if _is_constructor(item):
            item, kind = _constructed(item), None
        elif type(item.get("data")) is dict and "content" not in item:
            item = item["data"]  # LangChain's message_to_dict
    given = item.get("role") or kind
    role = given if type(given) is str and given != "message" else role
    role = ROLES.get(role, role)
    return _answered(item) if role == "tool" else _told(item, role)


def _told(item: Message, role: str) -> Messages:
    said = said_in(item)
    if said.results and not said.content and not said.calls:
        return said.results
    message = spoken(role, said)
    name = item.get("name")
    if isinstance(name, str) and name:
        message["name"] = name
    return [message, *said.results] if role == "assistant" else [*said.results, message]


def _constructed(item: Message) -> Message:
    path = item.get("id")
    kind = path[-1] if isinstance(path, list) and path and isinstance(path[-1], str) else ""
    kwargs: Message = item["kwargs"]
    return {**kwargs, "role": ROLES.get(kind) or kwargs.get("type") or "user"}


def _thought(item: Message) -> Messages:
    said = Said()
    add_reasoning(said, item)
    return [spoken("assistant", said)] if said.reasoning else []


def _answered(item: Message) -> Messages:
    parts = item.get("parts")
    blocks = parts if isinstance(parts, list) else item.get("content")
    if isinstance(blocks, dict) and blocks.get("type") == "function" and "function" in blocks:
        return []  # LangChain's callback tells the tools offered as messages
    if not isinstance(blocks, list):
        return [result_of({**item, "id": None})]
    said = said_in(item)
    if said.results and not said.content:
        return said.results
    texts = [part.get("text") for part in said.content]
    plain = all(isinstance(text, str) for text in texts)
    content = "\n".join(map(str, texts)) if plain else text_from(blocks)
    return [*said.results, result_of({**item, "id": None, "content": content})]


def said_in(item: Message) -> Said:
    said = Said()
    content = item.get("parts")
    if type(content) is not list:
        content = first_of(item, "content", "refusal")
    if type(content) is list:
        for part in content:
            add_part(said, part)
    elif type(content) is dict and type(content.get("parts")) is list:
        return said_in(content)
    elif content is not None and content != "":
        add_part(said, content)
    if not item.keys() <= WITHOUT_MORE:
        _add_more(said, item)
    return said


WITHOUT_MORE = frozenset(["role", "content", "parts", "finish_reason", "name", "type", "id"])


def _add_more(said: Said, item: Message) -> None:
    """Calls and thoughts that are told beside the content."""
    calls = item.get("tool_calls")
    extra = item.get("additional_kwargs")
    if not calls and isinstance(extra, dict):
        calls = extra.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        if isinstance(call, dict):
            said.calls.append(call_of(call))
    legacy = item.get("function_call")
    if isinstance(legacy, dict) and not said.calls:
        said.calls.append(call_of(legacy))
    thought = first_of(item, "reasoning_content", "reasoning", "thinking")
    if isinstance(thought, str) and thought:
        said.reasoning.append(thought)


def spoken(role: str, said: Said) -> Message:
    content: Json = said.content
    if len(said.content) == 1 and said.content[0].get("type") == "text":
        content = said.content[0].get("text")
    message: Message = {"role": role, "content": content or (None if said.calls else "")}
    if said.calls:
        message["tool_calls"] = said.calls
    if said.reasoning:
        message["reasoning_content"] = "\n".join(said.reasoning)
    return message


def with_system(system: Json, messages: Messages) -> Messages:
    """Instructions that are told beside the messages come first, once."""
    if not system:
        return messages
    said = Said()
    if isinstance(system, dict) and isinstance(system.get("parts"), list):
        system = system["parts"]
    for part in system if isinstance(system, list) else [system]:
        add_part(said, part)
    first = spoken("system", said)
    return messages if messages[:1] == [first] else [first, *messages]


def _messages(value: Message, role: str, depth: int) -> Messages | None:
    inner = value["messages"]
    if isinstance(inner, str):
        inner = [said_by(role, inner)]
    found = _conversation(inner, role, False, depth - 1)
    return with_system(value.get("system"), found) if found else None


def _only_messages(value: Message, role: str, depth: int) -> Messages | None:
    return _messages(value, role, depth) if len(value) == 1 else None


def _each(key: str, inner: str) -> "Unwrap":
    def unwrap(value: Message, role: str, depth: int) -> Messages | None:
        items = value[key] if isinstance(value[key], list) else []
        found: Messages = []
        for item in items:
            if isinstance(item, list):  # LangChain's generations
                found += unwrap({key: item}, role, depth - 1) or [] if depth > 0 else []
            elif isinstance(item, dict):
                found += _answer(item.get(inner, item), role, depth)
        return found or None

    return unwrap


def _answer(item: Json, role: str, depth: int) -> Messages:
    if isinstance(item, dict) and ("parts" in item or "content" in item):
        return messages_from(item, role)
    return _conversation(item, role, False, depth - 1) or []


def _contents(value: Message, _role: str, _depth: int) -> Messages | None:
    """Google's requests."""
    config = value.get("config")
    system = first_of(value, "system_instruction", "systemInstruction")
    if system is None and isinstance(config, dict):
        system = first_of(config, "system_instruction", "systemInstruction")
    inner = value["contents"]
    if isinstance(inner, str):
        inner = [said_by("user", inner)]
    found: Messages = []
    for item in inner if isinstance(inner, list) else [inner]:
        if isinstance(item, dict):
            found += messages_from(item, "user")
    return with_system(system, found) if found else None


def _asked(value: Message, _role: str, depth: int) -> Messages | None:
    """The input of OpenAI's Responses, or a prompt with instructions."""
    inner = first_of(value, "input", "prompt")
    found = [said_by("user", inner)] if isinstance(inner, str) else None
    found = found or _conversation(inner, "user", False, depth - 1)
    return with_system(first_of(value, "instructions", "system"), found) if found else None


def _inner(key: str) -> "Unwrap":
    def unwrap(value: Message, role: str, depth: int) -> Messages | None:
        return _conversation(value[key], role, False, depth - 1)

    return unwrap


def _content(value: Message, role: str, _depth: int) -> Messages | None:
    inner = value["content"]
    if isinstance(inner, dict) and isinstance(inner.get("parts"), list):
        return messages_from(inner, role)
    return None


def _text(value: Message, role: str, _depth: int) -> Messages | None:
    return [said_by(role, value["text"])] if isinstance(value["text"], str) else None


Unwrap = Callable[[Message, str, int], Messages | None]
STRICT_WRAPPERS: tuple[tuple[str, Unwrap], ...] = (
    ("messages", _only_messages),
    ("new_message", _inner("new_message")),
    ("content", _content),
)
WRAPPERS: tuple[tuple[str, Unwrap], ...] = (
    ("messages", _messages),
    ("choices", _each("choices", "message")),
    ("candidates", _each("candidates", "content")),
    ("contents", _contents),
    ("generations", _each("generations", "message")),
    ("content", _content),
    ("message", _inner("message")),
    ("output", _inner("output")),
    ("input", _asked),
    ("prompt", _asked),
    ("new_message", _inner("new_message")),
    ("text", _text),
)


def paired(messages: Conversation) -> Conversation:
    """Answers of tools that name no call answer those asked before, in order."""
    waiting: OrderedDict[str, None] = OrderedDict()
    for message in messages:
        for call in message.get("tool_calls") or ():
            if "id" in call:
                waiting[call["id"]] = None
        if message["role"] == "tool" and waiting:
            waiting.pop(message.setdefault("tool_call_id", next(iter(waiting))), None)
    return messages
