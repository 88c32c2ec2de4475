"""A plan says exactly what is run: prompt, model, parameters and tools."""

from typing import Any

import pytest

from app.exceptions import Invalid
from app.schemas.runs import Overrides, RunCreate
from app.services.running.plans import Plan, params_of, plan_of, substituted, variables_in

TOOL: dict[str, Any] = {
    "id": 1,
    "name": "find",
    "description": None,
    "kind": "function",
    "parameters": {"type": "object"},
}
SNAPSHOT = {
    "model_name": "gpt-4o",
    "system_prompt": "Be kind to {{name}}.",
    "max_tokens": 500,
    "config": {"temperature": 1},
    "tools": [TOOL, TOOL | {"id": 2, "name": "paused"}],
}
ASKED = RunCreate(input="Hi", variables={"name": "Ada"}, max_turns=3)


def plan(overrides: Overrides | None = None, snapshot: Any = SNAPSHOT) -> Plan:
    return plan_of((7, "airline"), snapshot, ASKED, overrides or Overrides(), {1})


def test_plan_follows_the_revision() -> None:
    made = plan()
    assert (made.model, made.system_prompt, made.max_turns) == ("gpt-4o", "Be kind to Ada.", 3)
    assert made.params == {"temperature": 1, "max_tokens": 500}
    assert [tool.name for tool in made.tools] == ["find"]
    assert made.opening([{"role": "user", "content": "Hi"}])[0]["role"] == "system"
    assert Plan.model_validate(made.model_dump(mode="json")) == made


def test_plan_takes_what_the_playground_tries_out() -> None:
    tried = Overrides(model_name="m", system_prompt="", max_tokens=100, params={"top_p": 0.5})
    made = plan(tried)
    assert (made.model, made.system_prompt) == ("m", "")
    assert made.params == {"top_p": 0.5, "max_tokens": 100}
    assert made.opening([]) == []


def test_only_http_tools_have_an_endpoint() -> None:
    endpoint = {"url": "https://shop.example.com/", "method": "GET"}
    for kind, kept in (("http", endpoint), ("function", None)):
        tools = [TOOL | {"kind": kind, "endpoint": endpoint}]
        assert plan(snapshot=SNAPSHOT | {"tools": tools}).tools[0].endpoint == kept


@pytest.mark.parametrize(
    ("prompt", "names"),
    [
        ("{{a}} {{ b }} {{a}}", ["a", "b"]),
        ("{{a.b}} {{1}} {a} {{ }} {{a-b}} {% if a %}", []),
        ("{{{a}}}", ["a"]),
    ],
)
def test_variables_are_plain_names_in_double_braces(prompt: str, names: list[str]) -> None:
    assert variables_in(prompt) == names


def test_values_are_text_and_nothing_else() -> None:
    values = {"a": "{{b}} \\1 {% x %}", "b": "B"}
    assert substituted("{{a}}/{{b}}", values) == "{{b}} \\1 {% x %}/B"


def test_missing_values_are_named() -> None:
    with pytest.raises(Invalid, match="b, c"):
        substituted("{{a}} {{b}} {{c}}", {"a": ""})


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        ("gpt-4o", "max_tokens"),
        ("o3-mini", "max_completion_tokens"),
        ("gpt-5.1", "max_completion_tokens"),
        ("openai/o4-mini", "max_completion_tokens"),
        ("olmo-2", "max_tokens"),
    ],
)
def test_limit_has_the_name_that_the_model_knows(model: str, limit: str) -> None:
    assert params_of(model, 100, {}, has_tools=False) == {limit: 100}
