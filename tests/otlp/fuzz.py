"""Requests as no exporter makes them, from a seed: the same seed makes the same requests."""

import gzip
import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from app.models.spans import SpanStatus
from app.services.ingestion.otlp import JSON, PROTOBUF
from app.services.ingestion.wire import WireEvent, WireSpan
from tests.otlp.requests import as_json, as_protobuf, make_span

MESSAGES = '[{"role":"user","parts":[{"type":"text","content":"hello"},{"type":"tool_call"}]}]'
KEYS = (
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.request.model",
    "gen_ai.agent.name",
    "gen_ai.conversation.id",
    "gen_ai.prompt.0.role",
    "gen_ai.prompt.999999999.content",
    "llm.input_messages.0.message.content",
    "llm.token_count.prompt",
    "llm.cost.total",
    "ai.prompt.messages",
    "langfuse.observation.usage_details",
    "mlflow.spanInputs",
    "traceloop.entity.input",
    "tag.tags",
    "authorization",
)
# What no text, number or list should break: as JSON writes it.
ODD: tuple[str, ...] = (
    '"\\u0000"',
    '"\\ud800"',
    '""',
    '"NaN"',
    "1e999",
    "-1",
    "18446744073709551616",
    "9" * 400,
    "true",
    "null",
    "[]",
    "{}",
    '"' + "a" * 5_000 + '"',
    "[" * 80 + "]" * 80,
    '{"a":' * 80 + "1" + "}" * 80,
    json.dumps(MESSAGES),
    json.dumps("[" * 3_000),
)


AFTER_KEY = re.compile(r'(?<!\\)": ')


@dataclass(frozen=True, slots=True)
class Request:
    """A body and how it is declared."""

    body: bytes
    media_type: str
    is_gzip: bool = False

    @property
    def headers(self) -> dict[str, str]:
        packed = {"Content-Encoding": "gzip"} if self.is_gzip else {}
        return {"Content-Type": self.media_type} | packed


def spans(chance: random.Random) -> list[WireSpan]:
    """A small trace with values of every type under names that mean something."""
    trace = chance.getrandbits(100) + 1
    values: list[Any] = [MESSAGES, "gpt-4o", 7, 2.5, True, ["a", "b"], {"c": "d"}, b"\x00\xff"]
    found = []
    for number in range(1, chance.randint(2, 4)):
        attributes = {key: chance.choice(values) for key in chance.sample(KEYS, 5)}
        event = WireEvent("exception", 1, {"exception.message": "no"})
        found.append(
            make_span(
                number,
                trace=trace,
                parent=None if number == 1 else 1,
                attributes=attributes,
                events=(event,),
                status=chance.choice(list(SpanStatus)),
            )
        )
    return found


def flipped(chance: random.Random, body: bytes) -> bytes:
    found = bytearray(body)
    for _ in range(chance.randint(1, 8)):
        found[chance.randrange(len(found))] = chance.randrange(256)
    return bytes(found)


def cut(chance: random.Random, body: bytes) -> bytes:
    return body[: chance.randrange(len(body))]


def spliced(chance: random.Random, body: bytes) -> bytes:
    """A piece of it somewhere else in it."""
    begin = chance.randrange(len(body))
    piece = body[begin : begin + chance.randint(1, 200)]
    place = chance.randrange(len(body))
    return body[:place] + piece * chance.randint(1, 4) + body[place:]


MUTATIONS: tuple[Callable[[random.Random, bytes], bytes], ...] = (flipped, cut, spliced)


def odd_json(chance: random.Random, body: bytes) -> bytes:
    """One value of the request replaced by something odd."""
    text = body.decode()
    place = chance.choice([found.end() for found in AFTER_KEY.finditer(text)])
    _, end = json.JSONDecoder().raw_decode(text, place)
    return (text[:place] + chance.choice(ODD) + text[end:]).encode()


def request(chance: random.Random) -> Request:
    """One in eight is as an exporter would send it."""
    is_json = chance.random() < 0.5
    plain = as_json(spans(chance))
    body = json.dumps(plain).encode() if is_json else as_protobuf(plain)
    media_type = JSON if is_json else PROTOBUF
    kind = chance.randrange(8)
    if kind in (1, 2) and is_json:
        body = odd_json(chance, body)
    elif kind in range(1, 6):
        body = chance.choice(MUTATIONS)(chance, body)
    elif kind == 6:
        media_type = PROTOBUF if is_json else JSON
    if chance.random() < 0.2:
        packed = gzip.compress(body, 1)
        return Request(flipped(chance, packed) if kind == 7 else packed, media_type, is_gzip=True)
    return Request(body, media_type)


def bombs() -> list[Request]:
    """Small on the wire, large or deep once read."""
    nothing = gzip.compress(b"\0" * 80_000_000, 9)
    deep_json = b'{"resourceSpans":' * 20_000
    deep_value = b'{"arrayValue":{"values":[' * 5_000
    deep = b'{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":' + deep_value
    nested = b""
    for _ in range(2_000):
        nested = b"\x2a" + varint(len(nested) + 2) + b"\x0a" + varint(len(nested)) + nested
    in_attribute = b"\x0a\x01a\x12" + varint(len(nested)) + nested
    message = in_attribute
    for tag in (b"\x0a", b"\x0a", b"\x0a"):
        message = tag + varint(len(message)) + message
    return [
        Request(nothing, PROTOBUF, is_gzip=True),
        Request(nothing, JSON, is_gzip=True),
        Request(gzip.compress(gzip.compress(b"{}")), JSON, is_gzip=True),
        Request(gzip.compress(b"{}") * 1000, JSON, is_gzip=True),
        Request(deep_json, JSON),
        Request(deep, JSON),
        Request(message, PROTOBUF),
    ]


def varint(number: int) -> bytes:
    found = b""
    while number > 127:
        found += bytes([number & 127 | 128])
        number >>= 7
    return found + bytes([number])


def requests(seed: int, count: int) -> Iterator[Request]:
    chance = random.Random(seed)  # noqa: S311  (no secrets are made)
    for _ in range(count):
        yield request(chance)
