"""The rules of contracts B3 and B5, and hostile input, as a client meets them."""

from typing import Any

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from tests.factories.agents import make_agent
from tests.integration.envelope import assert_envelope, fields_of

AGENTS, TOOLS, RUNS = "/api/v1/agents", "/api/v1/tools", "/api/v1/executions"
AGENT = {"name": "bot", "model": "gpt-4o"}
TOOL = {"name": "find", "parameters": {"type": "object"}}
DEEP: list[Any] = []
for _ in range(70):
    DEEP = [DEEP]


@pytest.mark.parametrize("name", ["abc", "a" * 100, "A-b_9", "  padded  "])
async def test_name_within_the_rules_is_stored_in_lower_case(
    api: httpx2.AsyncClient, name: str
) -> None:
    for url, data in ((AGENTS, AGENT), (TOOLS, TOOL)):
        created = await api.post(url, json=data | {"name": name})
        assert created.json()["name"] == name.strip().lower()


@pytest.mark.parametrize(
    "name", ["ab", "a" * 101, "a b c", "a.b", "müller", "abc\n1", "", None, 7, [], "a\x00bc"]
)
async def test_name_outside_the_rules_is_refused(api: httpx2.AsyncClient, name: object) -> None:
    for url, data in ((AGENTS, AGENT), (TOOLS, TOOL)):
        response = await api.post(url, json=data | {"name": name})
        assert_envelope(response, 422, "VALIDATION_ERROR")
        assert fields_of(response) == {"name"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_tokens", 99),
        ("max_tokens", 100_001),
        ("max_tokens", 2**63),
        ("max_tokens", -(2**70)),
        ("max_tokens", 1.5),
        ("max_tokens", None),
        ("model", ""),
        ("model", "   "),
        ("model", "m" * 201),
        ("system_prompt", "x" * 1001),
        ("config", []),
        ("config", "text"),
        ("config", None),
        ("config", {"deep": DEEP}),
        ("config", {"nul\x00": 1}),
        ("config", {"a": "\x00"}),
        ("description", "x" * 10_001),
        ("tool_ids", [0]),
        ("tool_ids", [2**63]),
        ("tool_ids", list(range(1, 202))),
        ("note", "n" * 501),
        ("is_active", "perhaps"),
    ],
)
async def test_agent_field_outside_the_rules_is_named(
    api: httpx2.AsyncClient, field: str, value: object
) -> None:
    response = await api.post(AGENTS, json=AGENT | {field: value})
    assert_envelope(response, 422, "VALIDATION_ERROR")
    assert field in str(response.json()["error"]["details"])


@pytest.mark.parametrize(
    ("model", "max_tokens", "status"),
    [
        ("gpt-3.5-turbo", 4096, 201),
        ("gpt-3.5-turbo", 4097, 422),
        ("azure/GPT-3.5", 5000, 422),
        ("gpt-4o", 100_000, 201),
        ("gpt-4o", 100, 201),
    ],
)
async def test_small_context_models_allow_fewer_tokens(
    api: httpx2.AsyncClient, model: str, max_tokens: int, status: int
) -> None:
    data = AGENT | {"model": model, "max_tokens": max_tokens}
    response = await api.post(AGENTS, json=data)
    assert response.status_code == status
    if status == 422:
        assert fields_of(response) == {"max_tokens"}


async def test_prompt_as_long_as_max_tokens_is_accepted(api: httpx2.AsyncClient) -> None:
    data = AGENT | {"max_tokens": 100, "system_prompt": "é" * 100}
    assert (await api.post(AGENTS, json=data)).status_code == 201


@pytest.mark.parametrize("change", [{"max_tokens": 100}, {"model": "gpt-3.5"}, {"name": None}])
async def test_a_change_is_checked_against_the_whole_agent(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, change: dict[str, Any]
) -> None:
    agent = await make_agent(session, actor, max_tokens=5000, system_prompt="x" * 200)
    response = await api.patch(f"{AGENTS}/{agent.id}", json=change)
    assert_envelope(response, 422, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object", "properties": {"a": {"type": ["string", "null"]}}},
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "prefixItems": [True]},
        {"$ref": "#/$defs/x", "$defs": {"x": True}},
    ],
)
async def test_valid_json_schema_is_stored_as_sent(
    api: httpx2.AsyncClient, schema: dict[str, Any]
) -> None:
    created = await api.post(TOOLS, json={"name": "find", "parameters": schema})
    assert created.json().get("parameters") == schema, created.text


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "strin"},
        {"type": 7},
        {"properties": []},
        {"required": "city"},
        {"required": ["a", "a"]},
        {"properties": {"a": {"minimum": "low"}}},
        {"$ref": 5},
        {"type": "object", "x": "\x00"},
        [],
        "schema",
        None,
    ],
)
async def test_what_is_no_json_schema_is_refused(api: httpx2.AsyncClient, schema: object) -> None:
    response = await api.post(TOOLS, json={"name": "find", "parameters": schema})
    assert_envelope(response, 422, "VALIDATION_ERROR")
    assert "parameters" in str(response.json()["error"]["details"])


@pytest.mark.parametrize(
    ("url", "data"),
    [(AGENTS, AGENT), (TOOLS, TOOL), (RUNS, {"agent": "bot"})],
)
async def test_unknown_fields_are_refused_by_name(
    api: httpx2.AsyncClient, url: str, data: dict[str, Any]
) -> None:
    response = await api.post(url, json=data | {"user_id": 1})
    assert_envelope(response, 422, "VALIDATION_ERROR")
    assert fields_of(response) == {"user_id"}


WITH_CONFIG = b'{"name": "bot", "model": "gpt-4o", "config": %b}'
# What is sent, and what the answer says of it.
HOSTILE = {
    b'{"name": "bot", "model": "a\\ud800b"}': "Some of the input is not valid.",
    WITH_CONFIG % b'{"\\udc00": 1}': "Some of the input is not valid.",
    WITH_CONFIG % b'{"n": 1e999}': "Some of the input is not valid.",
    WITH_CONFIG % b'{"n": %b}' % (b"9" * 400): "Some of the input is not valid.",
    WITH_CONFIG % b'{"n": "\\u0000"}': "Some of the input is not valid.",
    WITH_CONFIG % (b'{"n":' * 80 + b"1" + b"}" * 80): "Some of the input is not valid.",
    WITH_CONFIG % b'{"n": NaN}': "The body has NaN, which is not JSON.",
    WITH_CONFIG % b'{"n": -Infinity}': "The body has -Infinity, which is not JSON.",
    WITH_CONFIG % b'{"n": %b}' % (b"9" * 5000): "The body has a number with too many digits.",
    WITH_CONFIG % b'{"a": 1, "a": 2}': "The body has the name 'a' twice in one object.",
    b'{"name": "bot", "name": 5}': "The body has the name 'name' twice in one object.",
    b"[" * 100_000: "The body is nested too deeply.",
    b'{"a":' * 50_000 + b"1" + b"}" * 50_000: "The body is nested too deeply.",
    b'{"name": "bot"': "The body is not JSON: Expecting ',' delimiter (line 1, column 15).",
    b"nothing": "The body is not JSON: Expecting value (line 1, column 1).",
    b"\xff\xfe{}": "The body is not UTF-8.",
    b'"text"': "Some of the input is not valid.",
    b"null": "Some of the input is not valid.",
    b"[]": "Some of the input is not valid.",
    b"": "Some of the input is not valid.",
}


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", AGENTS), ("POST", TOOLS), ("POST", RUNS), ("PATCH", f"{AGENTS}/1")],
)
async def test_body_that_cannot_be_read_says_why(
    api: httpx2.AsyncClient, method: str, path: str
) -> None:
    unreadable = {body: says for body, says in HOSTILE.items() if says.startswith("The body")}
    for body, says in unreadable.items():
        response = await api.request(
            method, path, content=body, headers={"Content-Type": "application/json"}
        )
        assert assert_envelope(response, 422, "VALIDATION_ERROR") == says


@pytest.mark.parametrize(("body", "says"), HOSTILE.items(), ids=lambda value: str(value)[:60])
async def test_hostile_body_is_refused_with_the_envelope(
    api: httpx2.AsyncClient, body: bytes, says: str
) -> None:
    response = await api.post(AGENTS, content=body, headers={"Content-Type": "application/json"})
    assert assert_envelope(response, 422, "VALIDATION_ERROR") == says


async def test_body_with_many_names_is_read_in_time_linear_to_its_size(
    api: httpx2.AsyncClient,
) -> None:
    names = b",".join(b'"n%d":1' % i for i in range(200_000))
    body = WITH_CONFIG % (b"{%b,%b}" % (names, b'"n199999":2'))
    response = await api.post(AGENTS, content=body, headers={"Content-Type": "application/json"})
    assert "twice" in assert_envelope(response, 422, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", None]
)
async def test_other_media_types_are_refused(
    api: httpx2.AsyncClient, media_type: str | None
) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}
    response = await api.post(AGENTS, content=b'{"name": "bot", "model": "m"}', headers=headers)
    assert_envelope(response, 415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("bad", ["0", "-1", "x", "1.5", str(2**63), "9" * 400, "%00", "1%00", "é"])
@pytest.mark.parametrize("base", [AGENTS, TOOLS, RUNS])
async def test_bad_id_in_a_path_is_refused(api: httpx2.AsyncClient, base: str, bad: str) -> None:
    assert_envelope(await api.get(f"{base}/{bad}"), 422, "VALIDATION_ERROR")


@pytest.mark.parametrize("name", ["no-such", "%ff", "x" * 100])
async def test_config_of_an_unknown_name_is_missing(api: httpx2.AsyncClient, name: str) -> None:
    assert_envelope(await api.get(f"{AGENTS}/by-name/{name}/config"), 404)


@pytest.mark.parametrize("field", ["input_tokens", "agent_id"])
async def test_true_and_false_are_no_numbers(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, field: str
) -> None:
    agent = await make_agent(session, actor)
    body = {"agent_id": agent.id, field: True}
    assert_envelope(await api.post(RUNS, json=body), 422, "VALIDATION_ERROR")


@pytest.mark.parametrize("name", ["%00", "a%00b"])
async def test_config_of_a_name_that_cannot_be_is_refused_before_it_is_looked_up(
    api: httpx2.AsyncClient, name: str
) -> None:
    assert_envelope(await api.get(f"{AGENTS}/by-name/{name}/config"), 422, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page_size=101",
        "page=999999999999999999999",
        "skip=-1",
        "limit=0",
        "sort=password",
        "sort=user_id",
        "nope=1",
        "is_active=maybe",
        "q=%00",
        "q=" + "a" * 201,
        "name=a%20b",
    ],
)
async def test_bad_query_is_refused(api: httpx2.AsyncClient, query: str) -> None:
    assert_envelope(await api.get(f"{AGENTS}?{query}"), 422, "VALIDATION_ERROR")


@pytest.mark.parametrize("query", ["q='", "q=a%26b", "q=%27%3A*", "q=%5C", "q=%F0%9F%98%80"])
async def test_search_takes_any_characters(api: httpx2.AsyncClient, query: str) -> None:
    for url in (AGENTS, TOOLS, RUNS):
        assert (await api.get(f"{url}?{query}")).json()["items"] == []


async def test_refused_sort_says_what_is_allowed(api: httpx2.AsyncClient) -> None:
    message = assert_envelope(await api.get(f"{AGENTS}?sort=password"), 422)
    assert message == "Cannot sort by that. Allowed: created_at, name, updated_at."
