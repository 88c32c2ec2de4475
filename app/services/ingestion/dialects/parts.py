"""Parts of messages, as each provider and convention writes them, to OpenAI's shape."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

Json = Any  # any JSON value
Part = dict[str, Any]
Message = dict[str, Any]


@dataclass(slots=True)
class Said:
    """What the parts of one message hold."""

    content: list[Part] = field(default_factory=list)
    calls: list[Part] = field(default_factory=list)
    results: list[Message] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)


def text_from(value: Json) -> str:
    """Text as it is, anything else as compact JSON."""
    if isinstance(value, str):
        return value
    return orjson.dumps(value).decode()


def first_of(item: Part, *keys: str) -> Json:
    """The first value that is there; ``None`` is not."""
    for key in keys:
        value = item.get(key)
        if value is not None:
            return value
    return None


def call_of(item: Part) -> Part:
    """A tool call in any dialect as ``{id, type, function: {name, arguments}}``."""
    inner = first_of(item, "function", "tool_call")
    if isinstance(inner, dict):
        item = item | inner if "function" not in inner else inner | inner["function"]
    name = first_of(item, "name", "toolName", "tool_name")
    arguments = first_of(item, "arguments", "args", "input")
    call_id = first_of(item, *CALL_IDS)
    call: Part = {"id": call_id} if isinstance(call_id, str) and call_id else {}
    call["type"] = "function"
    call["function"] = {
        "name": name if isinstance(name, str) and name else "unknown",
        "arguments": "{}" if arguments is None else text_from(arguments),
    }
    return call


def result_of(item: Part) -> Message:
    """What a tool answered, as a message of the role ``tool``."""
    message: Message = {"role": "tool", "content": answer_text(item)}
    name = first_of(item, "name", "toolName", "tool_name")
    call_id = first_of(item, *ANSWERED_IDS)
    if isinstance(name, str) and name:
        message["name"] = name
    if isinstance(call_id, str) and call_id:
        message["tool_call_id"] = call_id
    return message


def answer_text(item: Part) -> str:
    value = next((item[key] for key in ANSWERS if item.get(key) is not None), None)
    if isinstance(value, dict) and value.keys() == {"type", "value"}:  # AI SDK
        value = value["value"]
    if isinstance(value, list) and value and all(map(_is_text, value)):
        return "\n".join(part["text"] for part in value)
    return "" if value is None else text_from(value)


CALL_IDS = ("call_id", "id", "toolCallId", "tool_call_id", "toolUseId", "ref")
ANSWERED_IDS = ("tool_call_id", "tool_use_id", "toolCallId", "call_id", "toolUseId", "id", "ref")
ANSWERS = ("response", "result", "output", "content")


def _is_text(part: Json) -> bool:
    return (
        isinstance(part, dict)
        and part.get("type", "text") == "text"
        and isinstance(part.get("text"), str)
    )


def add_text(said: Said, part: Part) -> None:
    text = part.get("content")
    if type(text) is not str:
        text = first_of(part, "text", "content", "value", "refusal")
        text = "" if text is None else text_from(text)
    said.content.append({"type": "text", "text": text})


def add_reasoning(said: Said, part: Part) -> None:
    value = first_of(part, "text", "content", "thinking", "reasoning", "summary")
    if isinstance(value, list):
        texts = [first_of(p, "text", "content") if isinstance(p, dict) else p for p in value]
        value = "\n".join(text for text in texts if isinstance(text, str))
    if isinstance(value, str) and value:
        said.reasoning.append(value)


def add_thought(said: Said, part: Part) -> None:
    """Bedrock's ``{reasoningText: {text, signature}}``."""
    inner = part.get("reasoningText")
    add_reasoning(said, inner if isinstance(inner, dict) else part)


def add_call(said: Said, part: Part) -> None:
    said.calls.append(call_of(part))


def add_result(said: Said, part: Part) -> None:
    said.results.append(result_of(part))


def add_blob(said: Said, part: Part) -> None:
    """Inline data as OpenAI writes it: a data URL."""
    mime = first_of(part, "mime_type", "mimeType", "mediaType", "media_type")
    data = first_of(part, "content", "data")
    _add_media(said, part, f"data:{mime or ''};base64,{text_from(data or '')}", mime)


def add_uri(said: Said, part: Part) -> None:
    mime = first_of(part, "mime_type", "mimeType", "mediaType")
    url = first_of(part, "uri", "url", "fileUri", "file_uri", "image", "data")
    _add_media(said, part, text_from(url or ""), mime)


def _add_media(said: Said, part: Part, url: str, mime: Json) -> None:
    kind = part.get("modality") or (mime.partition("/")[0] if isinstance(mime, str) else "")
    if kind == "image" or part.get("type") == "image":
        said.content.append({"type": "image_url", "image_url": {"url": url}})
        return
    media = {"url": url, "mime_type": mime, "modality": kind or None}
    said.content.append({"type": "file", "file": {k: v for k, v in media.items() if v}})


def add_file(said: Said, part: Part) -> None:
    if isinstance(part.get("file"), dict):
        said.content.append({"type": "file", "file": part["file"]})
    elif part.get("file_id") is not None:
        media = {key: part[key] for key in ("file_id", "mime_type", "modality") if part.get(key)}
        said.content.append({"type": "file", "file": media})
    else:
        add_uri(said, part)


def add_image(said: Said, part: Part) -> None:
    """Anthropic's and the AI SDK's images, and those of OpenAI's Responses."""
    source = part.get("source")
    url = part.get("image_url")
    if isinstance(source, dict):
        (add_blob if "data" in source else add_uri)(said, {"type": "image", **source, **part})
    elif url is not None:
        image = url if isinstance(url, dict) else {"url": text_from(url)}
        said.content.append({"type": "image_url", "image_url": image})
    else:
        add_uri(said, {**part, "type": "image"})


def add_as_it_is(said: Said, part: Part) -> None:
    said.content.append(part)


Add = Callable[[Said, Part], None]
BY_TYPE: dict[str, Add] = {
    "text": add_text,
    "input_text": add_text,
    "output_text": add_text,
    "refusal": add_text,
    "reasoning": add_reasoning,
    "thinking": add_reasoning,
    "summary_text": add_reasoning,
    "tool_call": add_call,
    "tool_use": add_call,
    "tool-call": add_call,
    "function_call": add_call,
    "function": add_call,
    "tool_call_response": add_result,
    "tool_result": add_result,
    "tool-result": add_result,
    "function_call_output": add_result,
    "blob": add_blob,
    "uri": add_uri,
    "file": add_file,
    "image": add_image,
    "image_url": add_image,
    "input_image": add_image,
}
# Parts of Gemini, Bedrock and Genkit have no type but one telling key.
BY_KEY: tuple[tuple[str, Add], ...] = (
    ("function_call", add_call),
    ("functionCall", add_call),
    ("function_response", add_result),
    ("functionResponse", add_result),
    ("toolUse", add_call),
    ("toolResult", add_result),
    ("toolRequest", add_call),
    ("toolResponse", add_result),
    ("reasoningContent", add_thought),
    ("inline_data", add_blob),
    ("inlineData", add_blob),
    ("file_data", add_uri),
    ("fileData", add_uri),
)


def add_part(said: Said, part: Json) -> None:
    if isinstance(part, str):
        said.content.append({"type": "text", "text": part})
        return
    if type(part) is not dict:
        said.content.append({"type": "text", "text": text_from(part)})
        return
    kind = part.get("type")
    if type(kind) is str:
        BY_TYPE.get(kind, add_as_it_is)(said, part)
        return
    for key, add in BY_KEY:
        inner = part.get(key)
        if isinstance(inner, dict):
            add(said, inner)
            return
    if isinstance(part.get("text"), str):
        (add_reasoning if part.get("thought") is True else add_text)(said, part)
    else:
        add_as_it_is(said, part)
