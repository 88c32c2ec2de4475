"""Tool calls reach exactly the endpoint that was configured, with arguments that fit its schema."""

import json
import time
from typing import Any

import pytest

from app.core.completions import WantedCall
from app.core.outbound import OutboundAnswer
from app.schemas.tools import ToolCreate, ToolHeaders
from app.services.running.arguments import problem_with
from app.services.running.tool_calls import Outcome, arguments_of, outcome_of, request_for

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
SHOP = "https://shop.example.com"


def wanted(arguments: str) -> WantedCall:
    return WantedCall("c1", "find", arguments)


@pytest.mark.parametrize(
    ("endpoint", "arguments", "url", "content"),
    [
        (("POST", f"{SHOP}/find"), {"a": 1}, f"{SHOP}/find", '{"a": 1}'),
        (("POST", f"{SHOP}/o/{{id}}"), {"id": 7, "a": [1]}, f"{SHOP}/o/7", '{"a": [1]}'),
        (("GET", f"{SHOP}/o/{{id}}"), {"id": "a b/c"}, f"{SHOP}/o/a%20b%2Fc", ""),
        (("GET", f"{SHOP}/o"), {"q": "x&y", "n": 2}, f"{SHOP}/o?q=x%26y&n=2", ""),
        (("GET", f"{SHOP}/o?v=1"), {"q": True}, f"{SHOP}/o?v=1&q=true", ""),
        (("DELETE", f"{SHOP}/o/{{id}}"), {"id": "7"}, f"{SHOP}/o/7", ""),
        (("GET", f"{SHOP}/o?id={{id}}"), {"id": "é=1#"}, f"{SHOP}/o?id=%C3%A9%3D1%23", ""),
    ],
)
def test_arguments_go_where_the_endpoint_says(
    endpoint: tuple[str, str], arguments: dict[str, Any], url: str, content: str
) -> None:
    method, address = endpoint
    asked = request_for({"method": method, "url": address}, arguments, {"X-Key": "k"})
    assert (asked.method, asked.url, asked.content.decode()) == (method, url, content)
    assert asked.headers["X-Key"] == "k"


@pytest.mark.parametrize("value", ["..", ".", "", None])
def test_argument_cannot_lead_out_of_the_address(value: Any) -> None:
    arguments = {} if value is None else {"id": value}
    with pytest.raises(ValueError, match="argument"):
        request_for({"method": "GET", "url": f"{SHOP}/o/{{id}}/x"}, arguments, {})


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ('{"city": "Rome"}', None),
        ("{}", "'city' is a required property"),
        ('{"city": 7}', "not of type 'string' (at city)"),
        ("[]", "must be a JSON object"),
        ('"Rome"', "must be a JSON object"),
        ("{city", "not valid JSON"),
        ("", "'city' is a required property"),
    ],
)
def test_model_is_told_what_is_wrong_with_its_arguments(arguments: str, told: str | None) -> None:
    found = arguments_of(wanted(arguments), CITY)
    if told is None:
        assert found == {"city": "Rome"}
    else:
        assert isinstance(found, Outcome)
        assert found.error_type == "invalid_arguments"
        assert told in found.content


LAUGHS = {
    "$defs": {
        f"l{i}": {"allOf": [{"$ref": f"#/$defs/l{i + 1}"}, {"$ref": f"#/$defs/l{i + 1}"}]}
        for i in range(40)
    }
    | {"l40": {}},
    "$ref": "#/$defs/l0",
}
HOSTILE = [
    {"$ref": "http://127.0.0.1:1/schema.json"},
    {"$ref": "file:///etc/passwd"},
    {"$ref": "#/$defs/none"},
    {"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
    LAUGHS,
]


@pytest.mark.parametrize("schema", HOSTILE, ids=["http", "file", "missing", "itself", "laughs"])
def test_schema_that_leads_elsewhere_is_not_followed(schema: dict[str, Any]) -> None:
    assert "cannot be used" in (problem_with({}, schema) or "")


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"pattern": "^(a+)+$"}}},
        {"patternProperties": {"^(a+)+$": False}},
        {"patternProperties": {"^(a+)+$": {}}, "additionalProperties": False},
        {"patternProperties": {"^(a+)+$": {}}, "unevaluatedProperties": False},
    ],
)
def test_pattern_that_backtracks_holds_nothing_up(schema: dict[str, Any]) -> None:
    evil = "a" * 40 + "!"
    before = time.process_time()
    assert problem_with({"a": evil, evil: 1}, schema) is None
    assert time.process_time() - before < 5


def test_schema_is_still_kept_to_where_it_can_be() -> None:
    schema = CITY | {"additionalProperties": False}
    assert problem_with({"city": "Rome"}, schema) is None
    assert "unexpected" in (problem_with({"city": "Rome", "x": 1}, schema) or "")


@pytest.mark.parametrize(
    ("status", "body", "result", "error_type"),
    [
        (200, b'{"a": 1}', {"a": 1}, None),
        (200, b"plain", "plain", None),
        (204, b"", None, None),
        (200, b"\xff\x00", "��", None),
        (302, b"", None, None),
        (404, b"gone", {"error": "The tool answered 404.", "answer": "gone"}, "404"),
        (500, b"[]", {"error": "The tool answered 500.", "answer": []}, "500"),
    ],
)
def test_answer_becomes_a_result(
    status: int, body: bytes, result: Any, error_type: str | None
) -> None:
    assert outcome_of(OutboundAnswer(status, {}, body)) == Outcome(result, error_type)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://shop.example.com/",
        "https://{host}/x",
        "https://shop.example.com:{port}/x",
        "{url}",
        "https://user:password@shop.example.com/",
        "https:///x",
        "shop.example.com/x",
        "https://[fe80::1%25eth0]/",
        "",
    ],
)
def test_endpoint_that_is_no_fixed_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="url"):
        ToolCreate(name="find", kind="http", endpoint={"url": url})


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "example.com"},
        {"content-length": "3"},
        {"X Key": "k"},
        {"X-Key": "k\r\nX-Evil: 1"},
        {"X-Key": "é"},
        {"X-Key": ""},
        {f"X-{i}": "k" for i in range(21)},
    ],
)
def test_header_that_cannot_be_sent_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="headers"):
        ToolHeaders.model_validate({"headers": headers})


def test_outcome_is_told_as_text_or_json() -> None:
    assert Outcome("é").content == "é"
    assert json.loads(Outcome({"a": None}).content) == {"a": None}
