"""Messages that are valid by the conventions' JSON Schemas are told in full.

What is read is written back in the words of the conventions, and must be what was sent.
"""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from app.core.config import PROJECT_ROOT
from tests.unit.dialects.spans import read

FOLDER = PROJECT_ROOT.parent / "shared" / "data" / "semconv-genai"

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not FOLDER.exists(), reason="the published schemas are not here"),
]
Json = Any  # a JSON value
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
NAMES = st.sampled_from(["weather", "search", "book"])
MODALITIES = st.sampled_from(["image", "video", "audio"])
ARGUMENTS = st.dictionaries(st.sampled_from(["city", "day", "n"]), WORDS | st.integers(0, 9))


def part(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({"type": st.just(kind), **fields})


TEXT = part("text", content=WORDS)
CALL = part("tool_call", id=WORDS, name=NAMES, arguments=ARGUMENTS)
RESULT = part("tool_call_response", id=WORDS, response=WORDS)
REASONING = part("reasoning", content=WORDS)
SERVER_CALL = part(
    "server_tool_call", id=WORDS, name=NAMES, server_tool_call=st.just({"type": "code"})
)
SERVER_RESULT = part(
    "server_tool_call_response", id=WORDS, server_tool_call_response=st.just({"type": "code"})
)
URI = part("uri", modality=MODALITIES, uri=st.just("https://example.com/a"))
FILE = part("file", modality=MODALITIES, file_id=WORDS)
BLOB = part("blob", modality=MODALITIES, mime_type=st.just("x/y"), content=st.just("AAAA"))
OTHER = part("something_new", detail=WORDS)


def message(role: str, *parts: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({"role": st.just(role), "parts": st.tuples(*parts).map(list)})


def among(*parts: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return st.lists(st.one_of(parts), min_size=1, max_size=4).map(in_our_order)


def in_our_order(parts: list[Json]) -> list[Json]:
    """Thoughts, then words and media, then calls: OpenAI's messages keep no other order."""
    first, last = ("reasoning",), ("tool_call",)
    ordered = sorted(parts, key=lambda p: (p["type"] in last) - (p["type"] in first))
    thoughts = [p for p in ordered if p["type"] == "reasoning"]
    return [*thoughts[:1], *(p for p in ordered if p["type"] != "reasoning")]


ASSISTANT = among(TEXT, CALL, REASONING, SERVER_CALL, SERVER_RESULT, OTHER)
CONVERSATIONS = st.lists(
    message("system", TEXT)
    | st.builds(lambda p: {"role": "user", "parts": p}, among(TEXT, URI, FILE, BLOB, OTHER))
    | st.builds(lambda p: {"role": "assistant", "parts": p}, ASSISTANT)
    | message("tool", RESULT),
    min_size=1,
    max_size=4,
)


def written_back(message: Json) -> Json:
    """One of our messages in the words of the conventions."""
    if message["role"] == "tool":
        answer = {"type": "tool_call_response", "id": message["tool_call_id"]}
        return {"role": "tool", "parts": [answer | {"response": message["content"]}]}
    parts = []
    if "reasoning_content" in message:
        parts.append({"type": "reasoning", "content": message["reasoning_content"]})
    content = message["content"]
    if isinstance(content, str):
        content = [{"type": "text", "text": content}] if content else []
    parts += [part_back(item) for item in content or []]
    for call in message.get("tool_calls", []):
        function = call["function"]
        arguments = json.loads(function["arguments"])
        named = {"type": "tool_call", "id": call["id"], "name": function["name"]}
        parts.append(named | {"arguments": arguments})
    return {"role": message["role"], "parts": parts}


def part_back(item: Json) -> Json:
    if item["type"] == "text":
        return {"type": "text", "content": item["text"]}
    if item["type"] == "image_url":
        return media_back(item["image_url"]["url"], "image")
    if item["type"] == "file" and "url" in item["file"]:
        return media_back(item["file"]["url"], item["file"]["modality"])
    if item["type"] == "file":
        return {"type": "file", **item["file"]}
    return item


def media_back(url: str, modality: str) -> Json:
    if not url.startswith("data:"):
        return {"type": "uri", "modality": modality, "uri": url}
    mime, _, data = url.removeprefix("data:").partition(";base64,")
    return {"type": "blob", "modality": modality, "mime_type": mime, "content": data}


def schema(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((FOLDER / f"gen-ai-{name}.json").read_text()))


@settings(max_examples=100, deadline=None)
@given(CONVERSATIONS, st.booleans())
def test_input_messages_come_back_as_they_were_sent(sent: list[Json], as_text: bool) -> None:
    schema("input-messages").validate(sent)
    value = orjson.dumps(sent).decode() if as_text else sent
    facts = read({"gen_ai.operation.name": "chat", "gen_ai.input.messages": value})
    assert [written_back(message) for message in facts.input] == sent


@settings(max_examples=60, deadline=None)
@given(ASSISTANT)
def test_output_messages_come_back_as_they_were_sent(parts: list[Json]) -> None:
    sent = [{"role": "assistant", "parts": parts, "finish_reason": "stop"}]
    schema("output-messages").validate(sent)
    value = orjson.dumps(sent).decode()
    facts = read({"gen_ai.operation.name": "chat", "gen_ai.output.messages": value})
    back = [written_back(message) | {"finish_reason": "stop"} for message in facts.output]
    assert back == sent


@settings(max_examples=30, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=3))
def test_instructions_are_the_first_message(sent: list[Json]) -> None:
    schema("system-instructions").validate(sent)
    facts = read(
        {"gen_ai.operation.name": "chat", "gen_ai.system_instructions": orjson.dumps(sent).decode()}
    )
    assert [written_back(message) for message in facts.input] == [{"role": "system", "parts": sent}]
