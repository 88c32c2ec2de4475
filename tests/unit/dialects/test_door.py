"""What is kept of attributes: no secrets, and nothing that jsonb cannot hold."""

from typing import Any

import orjson
import pytest

from app.services.ingestion.dialects import attributes_at_the_door
from tests.unit.dialects.spans import read

SECRET = "sk-shown-nowhere"
SECRET_NAMES = [
    "authorization",
    "Authorization",
    "http.request.header.authorization",
    "http.request.header.cookie",
    "http.response.header.set-cookie",
    "http.request.header.x-api-key",
    "proxy-authorization",
    "gen_ai.headers",
    "gen_ai.headers.x",
    "llm.api_key",
    "apiKey",
    "OPENAI_API_KEY",
    "APIKey",
    "api-key",
    "apikey",
    "access_token",
    "accessToken",
    "token",
    "x-auth-token",
    "refresh.token",
    "password",
    "db.password",
    "userPassword",
    "client_secret",
    "aws.secret_access_key",
    "private_key",
    "credentials",
]
OPEN_NAMES = [
    "gen_ai.usage.input_tokens",
    "gen_ai.request.max_tokens",
    "llm.token_count.prompt",
    "gen_ai.token.type",
    "time_to_first_token",
    "ai.response.msToFirstToken",
    "cost_per_token",
    "langfuse.public_key",
    "key",
    "keyboard",
    "author",
    "tokenizer",
    "session.id",
    "gen_ai.tool.call.id",
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_secrets_stay_outside(name: str) -> None:
    nested = {"headers": {name: SECRET, "kept": 1}, "list": [{name: [SECRET]}]}
    text = orjson.dumps(nested).decode()
    attributes: dict[str, Any] = {
        name: SECRET,
        "structured": nested,
        "texts": [text],
        "json": text,
        "input.value": text,
        "twice": orjson.dumps({"arguments": text}).decode(),
        "gen_ai.input.messages": orjson.dumps(
            [{"role": "user", "parts": [{"type": "tool_call", "name": "f", "arguments": nested}]}]
        ).decode(),
    }
    facts = read(attributes | {"gen_ai.operation.name": "chat"})
    kept = orjson.dumps([facts.attributes, facts.input, attributes_at_the_door(attributes)])
    assert SECRET.encode() not in kept
    assert name not in facts.attributes
    assert facts.attributes["structured"]["headers"] == {"kept": 1}
    assert orjson.loads(facts.attributes["json"])["headers"] == {"kept": 1}


@pytest.mark.parametrize("name", OPEN_NAMES)
def test_names_that_only_sound_like_secrets_are_kept(name: str) -> None:
    text = orjson.dumps({name: "x"}).decode()
    assert read({name: "x", "json": text}).attributes == {name: "x", "json": text}


def test_numbers_of_tokens_are_no_secrets() -> None:
    attributes = {"tokens": 5, "token": 7, "json": '{"token":9,"max_tokens":10}'}
    assert read(attributes).attributes == attributes
    assert read({"password": 1234}).attributes == {}


def test_tokens_of_text_beside_their_probability_are_kept() -> None:
    text = '{"logprobs":[{"token":"Hello","logprob":-0.1}]}'
    assert read({"output.value": text}).attributes == {"output.value": text}


def test_raw_json_is_kept_as_it_was_written() -> None:
    text = '{ "a" : [1, 2.50, "\\u00e9"] }'
    facts = read({"input.value": text})
    assert facts.attributes == {"input.value": text}
    assert facts.input == {"a": [1, 2.5, "é"]}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("a\0b", "ab"),
        ("\ud83d", "?"),
        (b"\x00\xff", "AP8="),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (2**63, 2**63),
        (2**64, str(2**64)),
        (10**400, None),
        ([1, "a\0", None, [True]], [1, "a", None, [True]]),
        ({"a\0": {"b": b"x"}}, {"a": {"b": "eA=="}}),
        ((1, 2), [1, 2]),
        ({1}, "[set]"),
        ('{"a":"x\\u0000y"}', '{"a":"xy"}'),
    ],
    ids=str,
)
def test_values_become_what_jsonb_holds(sent: Any, kept: Any) -> None:
    assert read({"x": sent}).attributes == {"x": kept}


def test_json_that_python_writes_is_read() -> None:
    facts = read({"input.value": '{"score": NaN, "max": Infinity, "text": "\\ud83d"}'})
    assert facts.input == {"score": "nan", "max": "inf", "text": "?"}


@pytest.mark.parametrize("depth", [60, 63])
def test_deep_values_are_kept(depth: int) -> None:
    text = "[" * depth + "]" * depth
    assert read({"x": text}).attributes == {"x": text}


@pytest.mark.parametrize("depth", [70, 200, 1000])
def test_deeper_values_are_cut(depth: int) -> None:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    kept = read({"x": value, "input.value": orjson.dumps(value).decode() if depth < 250 else ""})
    assert b"cut: nested too deep" in orjson.dumps(kept.attributes["x"])
    assert kept.attributes["x"] != value


def test_broken_json_stays_text() -> None:
    facts = read({"input.value": '{"messages": [{"role": "us'})
    assert facts.input == '{"messages": [{"role": "us'
