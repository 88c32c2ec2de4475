"""The conversation told by a run's steps, each message once."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from app.models.spans import SpanKind, SpanStatus
from app.services.conversation import Turn, conversation_of, step_of, turns_of

USER = {"role": "user", "content": "Where is my bag?"}
SYSTEM = {"role": "system", "content": "Be kind."}
ANSWER = {"role": "assistant", "content": "In Rome."}


def calling(*calls: tuple[str, str]) -> dict[str, Any]:
    listed = [
        {"id": call_id, "function": {"name": name, "arguments": '{"tag": 7}'}}
        for call_id, name in calls
    ]
    return {"role": "assistant", "content": None, "tool_calls": listed}


@dataclass
class Step:
    """A span with its body."""

    kind: SpanKind
    input: Any = None
    output: Any = None
    name: str = "step"
    tool_name: str | None = None
    status: SpanStatus = SpanStatus.OK
    start_ns: int = 0
    end_ns: int | None = 2_000_000
    span_id: bytes = b"12345678"
    parent_span_id: bytes | None = None
    model_name: str | None = "gpt-4o"
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: Any = None
    attributes: dict[str, Any] = field(default_factory=dict)


def model(*given: Any, out: Any = None, **values: Any) -> Step:
    return Step(SpanKind.LLM, list(given), out, **values)


def tool(name: str, out: Any, **values: Any) -> Step:
    return Step(SpanKind.TOOL, {}, out, tool_name=name, **values)


def said(turns: list[Turn]) -> list[tuple[str, str]]:
    return [(turn.role, turn.text) for turn in turns]


def test_run_without_messages_has_no_conversation() -> None:
    assert conversation_of([]) == []
    assert conversation_of([Step(SpanKind.AGENT, {"a": 1}, "b")]) == []


def test_thoughts_are_told_apart_and_do_not_repeat_the_history() -> None:
    thinking = ANSWER | {"reasoning_content": "Rome has it."}
    again = {"role": "user", "content": "Thanks."}
    turns = conversation_of([model(USER, out=[thinking]), model(USER, ANSWER, again, out=[])])
    assert said(turns) == [
        ("user", USER["content"]),
        ("assistant", "In Rome."),
        ("user", "Thanks."),
    ]
    assert [turn.reasoning for turn in turns] == ["", "Rome has it.", ""]


@pytest.mark.parametrize("name", ["gen_ai.tool.call.id", "ai.toolCall.id", "tool.id"])
def test_tool_step_answers_its_call_in_any_dialect(name: str) -> None:
    asked = calling(("c1", "find"), ("c2", "find"))
    step = tool("find", "here", attributes={name: "c2"})
    turns = conversation_of([model(USER, out=[asked]), step])
    assert [call.result for call in turns[-1].calls] == [None, "here"]


def test_history_that_comes_back_in_another_order_is_told_once() -> None:
    first, second = calling(("c1", "find")), calling(("c2", "book"))
    results = [{"role": "tool", "tool_call_id": f"c{n}", "content": f"r{n}"} for n in (1, 2)]
    steps = [
        model(USER, out=[first, second]),
        model(USER, first, results[0], second, results[1], out=[ANSWER]),
    ]
    turns = conversation_of(steps)
    assert said(turns)[-1] == ("assistant", "In Rome.")
    assert [call.result for turn in turns for call in turn.calls] == ["r1", "r2"]
    assert len(turns) == 4


def test_answer_without_an_id_is_that_of_the_step_of_its_name() -> None:
    asked = {"role": "assistant", "tool_calls": [{"function": {"name": "find"}}]}
    told = {"role": "tool", "name": "find", "content": "here"}
    turns = conversation_of(
        [model(USER, out=[asked]), tool("find", "here"), model(told, out=[ANSWER])]
    )
    assert [call.result for turn in turns for call in turn.calls] == ["here"]


def test_full_history_is_told_once() -> None:
    again = {"role": "user", "content": "Thanks."}
    bye = {"role": "assistant", "content": "Bye."}
    turns = conversation_of(
        [model(SYSTEM, USER, out=ANSWER), model(SYSTEM, USER, ANSWER, again, out=bye)]
    )
    assert said(turns) == [
        ("system", "Be kind."),
        ("user", "Where is my bag?"),
        ("assistant", "In Rome."),
        ("user", "Thanks."),
        ("assistant", "Bye."),
    ]


def test_history_of_only_what_is_new_is_told_once() -> None:
    again = {"role": "user", "content": "Thanks."}
    turns = conversation_of([model(USER, out=ANSWER), model(again, out="You are welcome.")])
    assert [text for _, text in said(turns)] == [
        "Where is my bag?",
        "In Rome.",
        "Thanks.",
        "You are welcome.",
    ]


def test_same_words_said_twice_are_told_twice() -> None:
    turns = conversation_of([model(USER, out=ANSWER), model(USER, ANSWER, USER, out=ANSWER)])
    assert len(turns) == 4


def test_result_in_the_next_steps_history_answers_the_call() -> None:
    call = calling(("c1", "find_bag"))
    result = {"role": "tool", "tool_call_id": "c1", "content": '{"city": "Rome"}'}
    turns = conversation_of([model(USER, out=call), model(USER, call, result, out=ANSWER)])
    (found,) = turns[1].calls
    assert (found.name, found.arguments) == ("find_bag", {"tag": 7})
    assert (found.result, found.answered) == ({"city": "Rome"}, True)
    assert [role for role, _ in said(turns)] == ["user", "assistant", "assistant"]


def test_tool_step_answers_the_call_with_its_time() -> None:
    turns = conversation_of([model(USER, out=calling(("c1", "find"))), tool("find", "Rome")])
    (call,) = turns[1].calls
    assert (call.result, call.duration_ms) == ("Rome", 2.0)
    assert call.span_id == b"12345678".hex()
    assert not call.failed


def test_failed_tool_step_marks_the_call() -> None:
    failed = tool("find", "Error: lost", status=SpanStatus.ERROR, end_ns=None)
    (call,) = conversation_of([model(USER, out=calling(("c1", "find"))), failed])[1].calls
    assert call.failed
    assert call.duration_ms is None


def test_parallel_calls_of_one_tool_get_their_own_results_by_id() -> None:
    call = calling(("c1", "find"), ("c2", "find"))
    results = [
        tool("find", "two", attributes={"gen_ai.tool.call.id": "c2"}, span_id=b"22222222"),
        tool("find", "one", attributes={"gen_ai.tool.call.id": "c1"}, span_id=b"11111111"),
    ]
    turns = conversation_of([model(USER, out=call), *results])
    assert [c.result for c in turns[1].calls] == ["one", "two"]


def test_parallel_calls_of_one_tool_get_their_own_results_in_order() -> None:
    call = calling(("c1", "find"), ("c2", "find"))
    steps = [tool("find", "one"), tool("find", "two", span_id=b"22222222")]
    turns = conversation_of([model(USER, out=call), *steps])
    assert [c.result for c in turns[1].calls] == ["one", "two"]


def test_tool_step_that_nobody_asked_for_is_a_turn_of_its_own() -> None:
    (turn,) = conversation_of([tool("cron", "done")])
    assert turn.role == "tool"
    assert turn.calls[0].name == "cron"


def test_plain_text_and_parts_are_read() -> None:
    parts = [{"type": "text", "text": "Look:"}, {"type": "image_url"}, "end"]
    turns = conversation_of(
        [model({"role": "user", "content": parts}, out="Nice."), Step(SpanKind.LLM, "Raw.", None)]
    )
    assert [turn.text for turn in turns] == ["Look:\nend", "Nice.", "Raw."]
    assert [media.label for media in turns[0].media] == ["Image"]


def test_malformed_messages_never_break_the_page() -> None:
    strange: list[Any] = [
        {"role": "assistant", "tool_calls": "none"},
        {"role": "assistant", "tool_calls": [7, {"function": "x"}, {"function": {}}]},
        {"role": None, "content": {"a": 1}},
        {"role": "tool", "content": None},
    ]
    assert conversation_of([model(*strange, out={"no": "role"}), model(7, None, out=[1, 2])])


def test_answer_carries_what_it_took() -> None:
    turn = conversation_of([model(USER, out=ANSWER, input_tokens=3, output_tokens=0)])[1]
    assert (turn.model_name, turn.tokens, turn.cost) == ("gpt-4o", 3, None)


def test_parts_of_any_provider_are_read_and_thoughts_and_calls_among_them() -> None:
    thinking = {"type": "thinking", "thinking": "A bag."}
    use = {"type": "tool_use", "id": "t1", "name": "find", "input": {"id": 1}}
    found = {"type": "tool_result", "tool_use_id": "t1", "content": "Rome"}
    asked = {"role": "assistant", "content": [thinking, {"type": "text", "text": "Wait."}, use]}
    turns = conversation_of(
        [model(USER, asked, {"role": "user", "content": [found]}, out=ANSWER)],
    )
    assert [(turn.text, turn.reasoning) for turn in turns][1] == ("Wait.", "A bag.")
    (call,) = turns[1].calls
    assert (call.arguments, call.result) == ({"id": 1}, "Rome")


def test_pictures_are_drawn_from_the_message_itself_and_never_from_elsewhere() -> None:
    urls = ["data:image/png;base64,iVBORw0KGgo=", "https://example.com/a.png"]
    urls += ["data:image/svg+xml;base64,PHN2Zz4=", "data:image/png;base64,'\"><script>"]
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    (turn,) = conversation_of([model({"role": "user", "content": parts}, out=None)])
    assert [media.source is not None for media in turn.media] == [True, False, False, False]
    assert turn.media[1].label == "Image: https://example.com/a.png"


def test_several_choices_are_numbered() -> None:
    answers = [{"role": "assistant", "content": text} for text in ("A", "B")]
    reasons = {"gen_ai.response.finish_reasons": ["stop", "stop"]}
    step = model(USER, out=answers, attributes=reasons)
    assert [turn.choice for turn in conversation_of([step])] == [
        "",
        "choice 1 of 2",
        "choice 2 of 2",
    ]


def test_one_step_tells_all_it_was_given_again() -> None:
    given, said = step_of(model(USER, ANSWER, USER, out=ANSWER))
    assert ([turn.role for turn in given], len(said)) == (["user", "assistant", "user"], 1)


def test_text_that_is_nested_too_deeply_to_be_read_stays_text() -> None:
    deep = "[" * 100_000
    (turn,) = turns_of({"role": "user", "content": deep}, "user")
    assert (turn.text, turn.structured) == (deep, None)


def agents_model(of: str, *given: Any, out: Any, **values: Any) -> Step:
    return model(SYSTEM, {"role": "user", "content": f"Task of {of}"}, *given, out=out, **values)


def test_agents_below_an_agent_tell_their_own_histories_once() -> None:
    done = {"role": "assistant", "content": "Done."}
    first, second = calling(("c1", "find")), calling(("c2", "find"))
    found = [{"role": "tool", "tool_call_id": f"c{n}", "content": f"r{n}"} for n in (1, 2)]
    turns = conversation_of(
        [
            agents_model("a", out=first),
            agents_model("b", out=second),
            agents_model("a", first, found[0], out=done),
            agents_model("b", second, found[1], out=done),
        ]
    )
    assert [text for _, text in said(turns)] == [
        *("Be kind.", "Task of a", "", "Task of b", "", "Done.", "Done.")
    ]
    assert [call.result for turn in turns for call in turn.calls] == ["r1", "r2"]


def test_history_that_is_cut_at_its_front_is_told_once() -> None:
    talk = [{"role": "user", "content": f"Question {n}"} for n in range(5)]
    turns = conversation_of(
        [model(SYSTEM, *talk[:4], out=ANSWER), model(SYSTEM, *talk[2:4], ANSWER, talk[4], out=None)]
    )
    assert [text for _, text in said(turns)] == [
        *("Be kind.", "Question 0", "Question 1", "Question 2", "Question 3"),
        *("In Rome.", "Question 4"),
    ]


def test_call_that_is_written_anew_in_the_history_is_told_once() -> None:
    call = calling(("c1", "find"))
    spaced = {"id": "c1", "type": "function", "function": {"name": "find"}}
    spaced["function"] = {"name": "find", "arguments": '{ "tag":7 }'}
    again = {"role": "assistant", "content": "", "name": "bot", "tool_calls": [spaced]}
    turns = conversation_of([model(USER, out=call), model(USER, again, out=ANSWER)])
    assert [turn.role for turn in turns] == ["user", "assistant", "assistant"]


def test_model_step_that_is_told_by_the_framework_and_the_provider_is_told_once() -> None:
    outer = model(SYSTEM, USER, out=ANSWER, span_id=b"outer000")
    flat = {"role": "user", "content": "system: Be kind. user: Where is my bag?"}
    inner = model(flat, out="In Rome.", span_id=b"inner000", parent_span_id=b"outer000")
    silent = Step(SpanKind.LLM, span_id=b"silent00")
    alone = model(USER, out=ANSWER, span_id=b"alone000", parent_span_id=b"silent00")
    assert [turn.role for turn in conversation_of([outer, inner])] == [
        "system",
        "user",
        "assistant",
    ]
    assert [turn.role for turn in conversation_of([silent, alone])] == ["user", "assistant"]


def test_answer_of_a_tool_without_an_id_or_a_name_is_that_of_the_call_that_waits() -> None:
    steps = [model(USER, out=calling(("c1", "find"))), tool("find", "here")]
    turns = conversation_of([*steps, model({"role": "tool", "content": "here"}, out=ANSWER)])
    assert [turn.role for turn in turns] == ["user", "assistant", "assistant"]


@pytest.mark.parametrize(
    "envelope",
    [
        {"content": [{"type": "text", "text": "Rome"}], "isError": False},
        {"id": "1", "name": "find", "response": "Rome"},
        {"type": "function_result", "call_id": "c1", "result": "Rome"},
    ],
)
def test_results_are_shown_without_their_envelopes(envelope: dict[str, Any]) -> None:
    (turn,) = conversation_of([tool("find", envelope)])
    assert turn.calls[0].result == "Rome"
    failed = {"content": [{"type": "text", "text": "No."}], "isError": True}
    assert conversation_of([tool("find", failed)])[0].calls[0].result == failed


def test_calls_of_a_long_run_find_their_answers() -> None:
    steps = []
    for n in range(400):
        call = calling((f"c{n}", "find"))
        asked = {"role": "user", "content": f"Task {n}"}
        found = {"role": "tool", "tool_call_id": f"c{n}", "content": "here"}
        steps += [model(asked, out=call), tool("find", "here"), model(asked, call, found, out="ok")]
    turns = conversation_of(steps)
    assert len(turns) == 3 * 400
    assert all(call.answered for turn in turns for call in turn.calls)


def test_prompt_with_instructions_of_a_run_is_read_as_messages() -> None:
    turns = turns_of({"prompt": "Where is my bag?", "system": "Be kind."}, "user")
    assert said(turns) == [("system", "Be kind."), ("user", "Where is my bag?")]
    assert turns_of({"prompt": "Hi", "more": 1}, "user")[0].structured == {
        "prompt": "Hi",
        "more": 1,
    }
