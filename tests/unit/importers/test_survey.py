from typing import Any

from app.importers.survey import SEEN_ONLY, Survey
from app.importers.transcripts import transcript_of

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}


def call(name: str, arguments: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"role": "assistant", "tool_calls": [{"id": "c", "function": function}]}


def survey(*runs: Any) -> Survey:
    made = Survey()
    for index, run in enumerate(runs):
        made.add(transcript_of(index, run))
    return made


def test_tool_that_was_only_called_gets_its_argument_names_and_nothing_else() -> None:
    found = survey(
        [call("find_bag", '{"id": 1}'), call("find_bag", '{"city": "Rom"}')],
        [call("find_bag", "not json"), call("Think", "{}")],
    )
    assert found.runs == 2
    assert found.tools() == [
        {
            "name": "find_bag",
            "description": SEEN_ONLY,
            "parameters": {"type": "object", "properties": {"city": {}, "id": {}}},
        },
        {
            "name": "Think",
            "description": SEEN_ONLY,
            "parameters": {"type": "object", "properties": {}},
        },
    ]


def test_definition_comes_before_what_was_seen() -> None:
    nested = {"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}
    flat = {"name": "find_bag", "description": "Finds it."}
    found = survey(
        {"messages": [call("weather", '{"x": 1}')], "tools": [nested, {"type": "web_search"}, 1]},
        {"messages": [call("Weather", "{}")], "functions": [flat]},
    )
    assert found.tools() == [
        {
            "name": "find_bag",
            "description": "Finds it.",
            "parameters": {"type": "object", "properties": {}},
        },
        {"name": "weather", "description": None, "parameters": PARAMETERS},
    ]


def test_first_prompt_and_model_are_the_agents() -> None:
    parts = [{"type": "text", "text": "Be kind."}, {"type": "text", "text": "Be brief."}]
    found = survey(
        [{"role": "user", "content": "Hi"}],
        {"messages": [{"role": "developer", "content": parts}], "model": "gpt-4o"},
        [{"role": "system", "content": "Be rude."}],
    )
    assert found.system_prompt == "Be kind.\nBe brief."
    assert found.model == "gpt-4o"
