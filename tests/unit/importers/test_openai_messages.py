from typing import Any

import pytest

from app.importers.openai_messages import Target, execution_of
from app.importers.transcripts import Message, transcript_of
from app.schemas.executions import ExecutionCreate

SYSTEM = {"role": "system", "content": "Be kind."}
QUESTION = {"role": "user", "content": "Wo ist mein Koffer? 🧳"}
THANKS = {"role": "user", "content": "Danke. ###STOP###"}
ANSWER = {"role": "assistant", "content": "In Rom."}


def calling(*calls: tuple[str, str, str]) -> Message:
    """An assistant's message with ``(id, name, arguments)`` calls."""
    listed = [
        {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
        for call_id, name, arguments in calls
    ]
    return {"role": "assistant", "content": None, "tool_calls": listed}


def result(call_id: str, content: Any, **values: Any) -> Message:
    return {"role": "tool", "tool_call_id": call_id, "content": content} | values


def execution(*messages: Message, model: str | None = None, **extras: Any) -> dict[str, Any]:
    run = {"messages": list(messages)} | extras
    made = execution_of(transcript_of(0, run), Target(agent_id=7, model=model))
    ExecutionCreate.model_validate(made)
    return made


def spans(made: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [span for span in made["spans"] if span["kind"] == kind]


def visible_messages(made: dict[str, Any]) -> list[Message]:
    """The messages in all span bodies, in the order of the spans."""
    found: list[Message] = []
    for span in made["spans"]:
        if span["kind"] != "tool":
            found += span.get("input", {"messages": []})["messages"]
            found += [span["output"]] if "output" in span else []
    return found


CALL = calling(("c1", "find_bag", '{"id": "4711"}'))
FOUND = result("c1", '{"city": "Roma"}', name="find_bag")
CONVERSATIONS = {
    "one answer": [SYSTEM, QUESTION, ANSWER],
    "a tool": [SYSTEM, QUESTION, CALL, FOUND, ANSWER],
    "ends with the user": [QUESTION, ANSWER, THANKS],
    "ends with a tool": [QUESTION, CALL, FOUND],
    "only the user": [QUESTION],
    "starts with the assistant": [ANSWER, QUESTION, ANSWER],
    "assistant twice": [QUESTION, ANSWER, ANSWER],
    "the same said twice": [QUESTION, ANSWER, QUESTION, ANSWER],
    "a role of its own": [{"role": "critic", "content": "Hm."}, QUESTION, ANSWER],
}


@pytest.mark.parametrize("messages", CONVERSATIONS.values(), ids=CONVERSATIONS.keys())
def test_every_message_is_visible_exactly_once_unchanged_and_in_order(
    messages: list[Message],
) -> None:
    assert visible_messages(execution(*messages)) == messages


def test_tool_step_shows_call_and_result() -> None:
    (step,) = spans(execution(QUESTION, CALL, FOUND, ANSWER), "tool")
    assert step["tool_name"] == step["name"] == "find_bag"
    assert step["input"] == {"id": "4711"}
    assert step["output"] == {"city": "Roma"}
    assert step["attributes"] == {"gen_ai.tool.call.id": "c1"}
    assert step["status"] == "unset"


def test_parallel_calls_get_their_own_results() -> None:
    both = calling(("a", "weather", '{"city": "Rom"}'), ("b", "weather", '{"city": "Oslo"}'))
    made = execution(QUESTION, both, result("b", "Snow"), result("a", "Sun"), ANSWER)
    assert [(step["input"]["city"], step["output"]) for step in spans(made, "tool")] == [
        ("Oslo", "Snow"),
        ("Rom", "Sun"),
    ]


def test_call_id_that_is_used_again_means_the_latest_call() -> None:
    again = calling(("c1", "drop_bag", "{}"))
    made = execution(QUESTION, CALL, FOUND, again, result("c1", "ok"), ANSWER)
    assert [step["name"] for step in spans(made, "tool")] == ["find_bag", "drop_bag"]


def test_older_function_calls_are_matched_by_name() -> None:
    call = {"name": "find_bag", "arguments": '{"id": 1}'}
    asked = {"role": "assistant", "content": None, "function_call": call}
    answered = {"role": "function", "name": "find_bag", "content": "[]"}
    (step,) = spans(execution(QUESTION, asked, answered), "tool")
    assert (step["input"], step["output"]) == ({"id": 1}, [])


def test_result_without_a_call_is_kept() -> None:
    (step,) = spans(execution(QUESTION, result("nowhere", "Sun", name="weather")), "tool")
    assert (step["name"], step["output"]) == ("weather", "Sun")
    assert "input" not in step


def test_call_without_a_result_is_in_the_model_step() -> None:
    made = execution(QUESTION, CALL)
    assert spans(made, "tool") == []
    assert spans(made, "llm")[0]["output"] == CALL


@pytest.mark.parametrize(
    ("content", "output"),
    [
        ("12", "12"),
        ("true", "true"),
        ('{"a": [1', '{"a": [1'),
        ("[NaN]", "[NaN]"),
        ("[1e999]", "[1e999]"),
        (" [1]", [1]),
        ([{"type": "text", "text": "Sun"}], [{"type": "text", "text": "Sun"}]),
    ],
)
def test_results_are_read_only_where_they_are_json(content: object, output: object) -> None:
    made = execution(QUESTION, CALL, result("c1", content), ANSWER)
    assert spans(made, "tool")[0]["output"] == output


def test_arguments_that_are_no_json_stay_text() -> None:
    made = execution(QUESTION, calling(("c1", "find_bag", '{"id": ')), FOUND)
    assert spans(made, "tool")[0]["input"] == '{"id": '


@pytest.mark.parametrize("content", ["Error: gone", [{"type": "text", "text": "Error: gone"}]])
def test_result_that_starts_with_error_marks_the_step(content: object) -> None:
    made = execution(QUESTION, CALL, result("c1", content), ANSWER)
    assert spans(made, "tool")[0]["status"] == "error"


def test_input_is_what_the_user_asked_and_output_what_was_last_said() -> None:
    second = {"role": "user", "content": [{"type": "text", "text": "Bitte!"}]}
    made = execution(SYSTEM, QUESTION, second, ANSWER, THANKS, CALL, FOUND)
    assert made["input"] == {"messages": [QUESTION, second]}
    assert made["output"] == "In Rom."


def test_messages_are_a_second_apart_and_say_that_they_are_synthetic() -> None:
    made = execution(QUESTION, CALL, FOUND, ANSWER)
    assert made["started_at"] == "2024-05-15T15:00:00+00:00"
    assert made["ended_at"] == "2024-05-15T15:00:03+00:00"
    assert made["metadata"] == {"synthetic_times": True}
    steps = made["spans"][1:]
    assert [step["ended_at"][-8:-6] for step in steps] == ["01", "02", "03"]


def test_nothing_unknown_is_made_up() -> None:
    made = execution(QUESTION, ANSWER)
    assert not {"model", "cost", "input_tokens", "session_id", "error_type"} & made.keys()
    assert spans(made, "llm")[0]["name"] == "chat"
    assert made["feedback"] == []


@pytest.mark.parametrize(
    ("reward", "status", "error_type"),
    [(1.0, "succeeded", None), (0.5, "failed", "reward_below_1"), (None, "succeeded", None)],
)
def test_reward_decides_the_status(
    reward: float | None, status: str, error_type: str | None
) -> None:
    made = execution(QUESTION, ANSWER, reward=reward)
    assert (made["status"], made.get("error_type")) == (status, error_type)
    assert [score["value"] for score in made["feedback"]] == ([] if reward is None else [reward])


@pytest.mark.parametrize("reward", ["good", True, float("nan"), 10**400])
def test_reward_that_is_no_number_is_no_feedback(reward: object) -> None:
    run = {"messages": [QUESTION], "reward": reward}
    assert execution_of(transcript_of(0, run), Target(7))["feedback"] == []


def test_model_of_the_message_comes_before_that_of_the_run_and_the_option() -> None:
    named = ANSWER | {"model": "gpt-4o-mini"}
    made = execution(QUESTION, named, QUESTION, ANSWER, model="other")
    assert [span["name"] for span in spans(made, "llm")] == ["chat gpt-4o-mini", "chat other"]
    assert execution(QUESTION, ANSWER, model="other")["model"] == "other"
    assert execution(QUESTION, ANSWER, model="gpt-4o")["spans"][1]["model"] == "gpt-4o"


def test_ids_follow_from_task_and_trial_or_from_the_content() -> None:
    assert execution(QUESTION, task_id=3, trial=0)["external_id"] == "tau-bench:3:0"
    by_content = execution(QUESTION)["external_id"]
    assert by_content.startswith("sha256:")
    assert by_content == execution(QUESTION, comment="another")["external_id"]
    assert by_content != execution(THANKS)["external_id"]


def test_same_content_twice_is_two_runs() -> None:
    run, target = transcript_of(1, [QUESTION]), Target(7)
    first, second = execution_of(run, target, 1), execution_of(run, target, 2)
    assert first["external_id"] != second["external_id"]


def test_made_again_it_is_the_same_and_its_span_ids_differ() -> None:
    made = execution(*CONVERSATIONS["ends with a tool"])
    assert made == execution(*CONVERSATIONS["ends with a tool"])
    ids = [span["span_id"] for span in made["spans"]]
    assert len(set(ids)) == len(ids)
    assert {span.get("parent_span_id") for span in made["spans"][1:]} == {ids[0]}


def test_large_info_is_left_out_of_the_metadata() -> None:
    assert execution(QUESTION, info={"a": 1})["metadata"]["info"] == {"a": 1}
    assert "info" not in execution(QUESTION, info={"a": "x" * 70_000})["metadata"]
