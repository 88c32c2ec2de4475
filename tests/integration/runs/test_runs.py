"""An agent is run through a provider: each run ends in the right state, with all it did kept."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from tests.provider import (
    Answer,
    Provider,
    breaks_off,
    calls,
    refuses,
    says,
    sends,
    sleeps,
)
from tests.stage import KEY, Stage

FUNCTION = {"name": "find_bag"}


async def test_run_in_the_background_is_promised_and_then_done(
    stage: Stage, provider: Provider
) -> None:
    provider.will(says("It is ", "in Rome."))
    response = await stage.ask(tags=["trial"], session_id="s1", metadata={"a": 1})
    promised = response.json()
    assert (response.status_code, promised["status"]) == (202, "pending")
    assert response.headers["location"] == f"/api/v1/executions/{promised['id']}"
    async with stage.working():
        run = await stage.until(promised["id"])
    assert (run["status"], run["output"], run["error"]) == ("succeeded", "It is in Rome.", None)
    assert (run["input_tokens"], run["output_tokens"]) == (100, 20)
    assert (Decimal(run["cost"]), run["cost_source"]) == (Decimal("0.00045"), "computed")
    assert (run["revision"], run["source"], run["model"]) == (1, "api", "gpt-4o")
    assert (run["tags"], run["session_id"], run["metadata"]) == (["trial"], "s1", {"a": 1})
    assert run["input"] == {"messages": [{"role": "user", "content": "Where is my bag?"}]}
    job = (await stage.api.get("/api/v1/jobs")).json()["items"][0]
    assert (job["kind"], job["status"]) == ("run_agent", "succeeded")


async def test_run_leaves_a_trace_in_opentelemetrys_words(stage: Stage, provider: Provider) -> None:
    provider.will(says("Hello."))
    events = await stage.stream()
    root, model = await stage.spans(events[-1][1]["id"])
    assert (root["kind"], root["name"], root["status"]) == ("agent", "invoke_agent airline", "ok")
    assert (model["kind"], model["name"]) == ("llm", "chat gpt-4o")
    assert model["parent_span_id"] == root["span_id"]
    assert root["start_ns"] <= model["start_ns"] <= model["end_ns"] <= root["end_ns"]
    assert model["input"][0] == {"role": "system", "content": "Be kind."}
    assert model["output"] == {"role": "assistant", "content": "Hello."}
    attributes = model["attributes"]
    assert attributes["gen_ai.response.finish_reasons"] == ["stop"]
    assert attributes["gen_ai.request.max_tokens"] == 1000
    assert attributes["gen_ai.provider.name"] == "openai"
    assert attributes["gen_ai.response.time_to_first_chunk"] >= 0


async def test_watched_run_is_told_as_it_happens(stage: Stage, provider: Provider) -> None:
    provider.will(says("It is ", "in Rome."))
    events = await stage.stream()
    assert [name for name, _ in events] == ["started", "delta", "delta", "execution"]
    assert [data["text"] for name, data in events if name == "delta"] == ["It is ", "in Rome."]
    last = events[-1][1]
    assert (last["status"], last["output"]) == ("succeeded", "It is in Rome.")
    assert (await stage.read(last["id"]))["output"] == "It is in Rome."


async def test_prompt_gets_its_variables_and_nothing_of_them_is_read_again(
    stage: Stage, provider: Provider
) -> None:
    prompt = "Help {{ customer }} of {{company}}. Keep {{ 3 }} and {{ a.b }}."
    await stage.new_agent(system_prompt=prompt)
    assert (await stage.ask(variables={"customer": "Ada"})).status_code == 422
    await stage.stream(variables={"customer": "{{company}}", "company": "Acme", "other": "x"})
    said = provider.requests[0]["messages"][0]["content"]
    assert said == "Help {{company}} of Acme. Keep {{ 3 }} and {{ a.b }}."


async def test_config_gives_the_fields_of_a_completion_and_no_others(
    stage: Stage, provider: Provider
) -> None:
    config = {"temperature": 0.2, "stop": ["END"], "tool_choice": "none", "mine": 1, "model": "x"}
    await stage.new_agent(config=config, model="gpt-5-mini", max_tokens=500)
    await stage.stream()
    sent = provider.requests[0]
    assert (sent["temperature"], sent["stop"], sent["model"]) == (0.2, ["END"], "gpt-5-mini")
    assert sent["max_completion_tokens"] == 500
    assert not {"mine", "tool_choice", "max_tokens", "tools"} & sent.keys()


async def test_chosen_revision_is_run(stage: Stage, provider: Provider) -> None:
    change = {"system_prompt": "Second.", "model": "gpt-4o-mini"}
    await stage.api.patch(f"/api/v1/agents/{stage.agent.id}", json=change)
    events = await stage.stream(revision=1)
    assert provider.requests[0]["model"] == "gpt-4o"
    assert (await stage.read(events[-1][1]["id"]))["revision"] == 1
    assert (await stage.ask(revision=9)).status_code == 422


async def test_conversation_is_given_as_messages(stage: Stage, provider: Provider) -> None:
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "And now?"},
    ]
    await stage.stream(input=None, messages=messages)
    assert provider.requests[0]["messages"][1:] == messages


@pytest.mark.parametrize(
    "data",
    [
        {"input": None},
        {"messages": [{"role": "user", "content": "Hi"}]},
        {"input": None, "messages": [{"role": "boss", "content": "Hi"}]},
        {"variables": {"a b": "x"}},
        {"variables": {"a": 1}},
        {"max_turns": 0},
        {"max_turns": 1000},
        {"model": "gpt-4o"},
        {"input": "a\x00b"},
    ],
)
async def test_what_cannot_be_run_is_refused_and_leaves_nothing(
    stage: Stage, data: dict[str, Any]
) -> None:
    body = {name: v for name, v in ({"input": "Hi"} | data).items() if v is not None}
    response = await stage.api.post(f"/api/v1/agents/{stage.agent.id}/run", json=body)
    assert response.status_code == 422
    assert (await stage.api.get("/api/v1/executions")).json()["items"] == []


FAILURES = [
    (refuses(404), "model_not_found", "no model called gpt-4o"),
    (refuses(401, f"Bad key {KEY}"), "provider_unauthorized", "OPENAI_API_KEY"),
    (refuses(400, f"Context too long for {KEY}"), "provider_refused", "Context too long"),
    (sends("{broken"), "provider_malformed", "no chat completion"),
    (sends({"error": {"message": "overloaded"}}), "provider_failed", "overloaded"),
    (sleeps(8), "provider_timeout", "did not answer within 5 seconds"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), FAILURES, ids=[f[1] for f in FAILURES])
async def test_run_that_fails_says_why_and_never_tells_the_key(
    stage: Stage, provider: Provider, answer: Answer, kind: str, words: str
) -> None:
    provider.will(answer)
    last = (await stage.stream())[-1][1]
    assert (last["status"], last["error_type"]) == ("failed", kind)
    assert words in last["error"]
    assert last["cost_source"] == "unpriced"
    assert last["cost"] is None
    _, model = await stage.spans(last["id"])
    assert (model["status"], model["attributes"]["error.type"]) == ("error", kind)
    assert KEY not in str(await stage.read(last["id"])) + str(await stage.spans(last["id"]))


async def test_answer_that_breaks_off_is_kept_as_far_as_it_came(
    stage: Stage, provider: Provider
) -> None:
    provider.will(breaks_off("It is in"))
    last = (await stage.stream())[-1][1]
    assert (last["status"], last["output"]) == ("failed", "It is in")
    _, model = await stage.spans(last["id"])
    assert model["output"] == {"role": "assistant", "content": "It is in"}


async def test_provider_that_asks_to_wait_is_waited_for(stage: Stage, provider: Provider) -> None:
    provider.will(refuses(429, retry_after="0.05"), says("Now."))
    assert (await stage.stream())[-1][1]["status"] == "succeeded"


async def test_unknown_model_is_unpriced_never_free(stage: Stage) -> None:
    await stage.new_agent(model="qwen3:8b")
    last = (await stage.stream())[-1][1]
    assert (last["cost"], last["cost_source"]) == (None, "unpriced")
    assert last["input_tokens"] == 100


async def test_what_postgres_cannot_hold_does_not_lose_the_answer(
    stage: Stage, provider: Provider
) -> None:
    provider.will(says("a\x00b", "\ud800"))
    last = (await stage.stream())[-1][1]
    assert (last["status"], last["output"]) == ("succeeded", "a�b?")


async def test_calls_of_function_tools_are_the_callers(stage: Stage, provider: Provider) -> None:
    await stage.new_agent(FUNCTION)
    provider.will(calls(("find_bag", {"city": "Rome"}), text="Let me see."), says("In Rome."))
    events = await stage.stream()
    assert [name for name, _ in events][-2:] == ["requires_action", "execution"]
    wanted = {"id": "call_1", "name": "find_bag", "arguments": '{"city": "Rome"}'}
    run = await stage.read(events[-1][1]["id"])
    assert run["status"] == "running"
    action = {"type": "tool_results", "tool_calls": [wanted]}
    assert run["output"] == {"requires_action": action}
    offered = provider.requests[0]["tools"][0]["function"]
    assert (offered["name"], offered["parameters"]["required"]) == ("find_bag", ["city"])
    path = f"/api/v1/executions/{run['id']}/tool-results"
    results = [{"tool_call_id": "call_1", "content": {"belt": 7}}]
    last = (await stage.stream(path, results=results))[-1][1]
    assert (last["status"], last["output"], last["span_count"]) == ("succeeded", "In Rome.", 4)
    told = provider.requests[1]["messages"]
    assert told[2]["tool_calls"][0]["function"]["name"] == "find_bag"
    assert told[3] == {"role": "tool", "tool_call_id": "call_1", "content": '{"belt": 7}'}
    assert (last["input_tokens"], Decimal(last["cost"])) == (200, Decimal("0.0009"))
    again = await stage.api.post(path, json={"results": results})
    assert again.status_code == 409


async def test_tool_results_go_on_in_the_background_too(stage: Stage, provider: Provider) -> None:
    await stage.new_agent(FUNCTION)
    provider.will(calls(("find_bag", {"city": "Rome"})), says("In Rome."))
    run = (await stage.stream())[-1][1]
    results = [{"tool_call_id": "call_1", "content": "belt 7", "is_error": True}]
    path = f"/api/v1/executions/{run['id']}/tool-results"
    assert (await stage.api.post(path, json={"results": results})).status_code == 202
    async with stage.working():
        assert (await stage.until(run["id"]))["output"] == "In Rome."
    tool = next(s for s in await stage.spans(run["id"]) if s["kind"] == "tool")
    assert (tool["status"], tool["output"], tool["input"]) == ("error", "belt 7", {"city": "Rome"})


@pytest.mark.parametrize("ids", [["call_2"], ["call_1", "call_2"], ["call_1", "call_1"]], ids=str)
async def test_results_must_be_those_of_the_calls(
    stage: Stage, provider: Provider, ids: list[str]
) -> None:
    await stage.new_agent(FUNCTION)
    provider.will(calls(("find_bag", {"city": "Rome"})))
    run = (await stage.stream())[-1][1]
    results = [{"tool_call_id": call_id, "content": ""} for call_id in ids]
    path = f"/api/v1/executions/{run['id']}/tool-results"
    assert (await stage.api.post(path, json={"results": results})).status_code == 422
    assert (await stage.read(run["id"]))["status"] == "running"


async def test_model_may_correct_calls_that_do_not_fit(stage: Stage, provider: Provider) -> None:
    await stage.new_agent(FUNCTION)
    provider.will(calls(("find_bag", {"town": 1}), ("no_such_tool", {})), says("Sorry."))
    last = (await stage.stream())[-1][1]
    assert (last["status"], last["error_count"]) == ("succeeded", 2)
    told = [m["content"] for m in provider.requests[1]["messages"] if m["role"] == "tool"]
    assert "'city' is a required property" in told[0]
    assert "no such tool" in told[1]


async def test_run_that_never_comes_to_an_answer_ends(stage: Stage, provider: Provider) -> None:
    await stage.new_agent(FUNCTION)
    provider.will(*[calls(("no_such_tool", {}))] * 5)
    last = (await stage.stream(max_turns=3))[-1][1]
    assert (last["status"], last["error_type"]) == ("failed", "turn_limit")
    assert len(provider.requests) == 3


async def test_paused_tools_are_not_offered(stage: Stage, provider: Provider) -> None:
    await stage.new_agent(FUNCTION, {"name": "other"})
    await stage.api.patch(f"/api/v1/tools/{stage.tools[0].id}", json={"is_active": False})
    await stage.stream()
    assert [t["function"]["name"] for t in provider.requests[0]["tools"]] == ["other"]


async def test_paused_agent_is_not_run(stage: Stage) -> None:
    await stage.api.patch(f"/api/v1/agents/{stage.agent.id}", json={"is_active": False})
    response = await stage.ask()
    assert response.status_code == 409
    assert "paused" in response.json()["error"]["message"]


async def test_without_a_provider_the_answer_says_what_to_set(stage: Stage) -> None:
    stage.settings.openai_base_url = None
    response = await stage.ask()
    assert (response.status_code, response.json()["error"]["code"]) == (
        409,
        "PROVIDER_NOT_CONFIGURED",
    )
    assert "OPENAI_BASE_URL" in response.json()["error"]["message"]


async def test_run_is_asked_for_once_under_an_idempotency_key(stage: Stage) -> None:
    path, body = f"/api/v1/agents/{stage.agent.id}/run", {"input": "Hi"}
    headers = {"Idempotency-Key": "k1"}
    answers = await asyncio.gather(
        *(stage.api.post(path, json=body, headers=headers) for _ in range(3))
    )
    assert {(a.status_code, a.json()["id"]) for a in answers} == {(202, answers[0].json()["id"])}
    assert len((await stage.api.get("/api/v1/executions")).json()["items"]) == 1
    streamed = await stage.api.post(
        path, json=body | {"stream": True}, headers={"Idempotency-Key": "k2"}
    )
    assert streamed.status_code == 422
