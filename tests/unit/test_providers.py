"""Model calls end in an answer or in words that say what is wrong, and never tell the key."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from app.core.completions import Completion, TokenUsage
from app.core.config import Settings
from app.core.providers import (
    ModelCall,
    ModelProvider,
    ProviderBusy,
    ProviderError,
    ProviderNotConfigured,
    ProviderTimeout,
)
from tests.provider import (
    Answer,
    Provider,
    breaks_off,
    calls,
    drips,
    refuses,
    replies,
    says,
    sends,
    sleeps,
)

KEY = "sk-canary-0123456789"
CALL = ModelCall("gpt-4o", [{"role": "user", "content": "Hi"}], params={"temperature": 0})
WHOLE = (
    '{"id": "x", "model": "gpt-4", "choices": [{"index": 0, "finish_reason": "stop", "message":'
    ' {"role": "assistant", "content": "Whole."}}], "usage": {"prompt_tokens": 5,'
    ' "completion_tokens": 1}}'
)


@pytest.fixture(scope="module")
def server() -> Iterator[Provider]:
    with Provider() as server:
        yield server


@asynccontextmanager
async def provider_at(server: Provider, **values: Any) -> AsyncIterator[ModelProvider]:
    settings = Settings(
        _env_file=None, openai_base_url=server.base_url, openai_api_key=SecretStr(KEY)
    )
    provider = ModelProvider(settings.model_copy(update=values))
    yield provider
    await provider.aclose()


def nowhere(_: str) -> None:
    """For those who wait for the whole answer."""


async def answer_of(server: Provider, *answers: Answer, **values: Any) -> Completion:
    server.will(*answers)
    said: list[str] = []
    async with provider_at(server, **values) as provider:
        completion = await provider.complete(CALL, said.append)
    assert "".join(said) == completion.first.content
    return completion


async def failure_of(server: Provider, *answers: Answer, **values: Any) -> ProviderError:
    server.will(*answers)
    async with provider_at(server, **values) as provider:
        with pytest.raises(ProviderError) as caught:
            await provider.complete(CALL, nowhere)
    assert KEY not in caught.value.message
    return caught.value


async def test_answer_comes_in_pieces_with_its_usage(server: Provider) -> None:
    completion = await answer_of(server, says("Hello ", "there."))
    assert completion.first.content == "Hello there."
    assert completion.usage == TokenUsage(100, 20)
    assert (completion.finish_reasons, completion.model) == (["stop"], "gpt-4o")
    sent = server.requests[0]
    assert (sent["stream"], sent["stream_options"]) == (True, {"include_usage": True})
    assert (sent["temperature"], sent["messages"]) == (0, CALL.messages)
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


async def test_answer_of_a_server_that_does_not_stream_is_read(server: Provider) -> None:
    completion = await answer_of(server, replies(WHOLE, "application/json"))
    assert (completion.first.content, completion.usage) == ("Whole.", TokenUsage(5, 1))


async def test_missing_usage_is_unknown(server: Provider) -> None:
    assert (await answer_of(server, says("Hello", usage=None))).usage == TokenUsage()


async def test_tool_calls_come_in_pieces(server: Provider) -> None:
    completion = await answer_of(server, calls(("find_bag", {"city": "Rome"}), ("now", {})))
    found = [(call.call_id, call.name, call.parsed) for call in completion.first.wanted]
    assert found == [("call_1", "find_bag", {"city": "Rome"}), ("call_2", "now", {})]


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_what_may_pass_is_tried_again_when_the_server_says(
    server: Provider, status: int
) -> None:
    again = refuses(status, retry_after="0.01")
    assert (await answer_of(server, again, again, says("At last."))).is_whole
    assert len(server.requests) == 3


async def test_retries_end(server: Provider) -> None:
    again = refuses(429, "Slow down.", retry_after="0.01")
    error = await failure_of(server, again, again, again, says("Never."))
    assert isinstance(error, ProviderBusy)
    assert "Slow down." in error.message
    assert len(server.requests) == 3


async def test_retry_that_would_come_too_late_is_a_timeout(server: Provider) -> None:
    error = await failure_of(server, refuses(429, retry_after="60"), provider_timeout_s=0.2)
    assert isinstance(error, ProviderTimeout)


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (refuses(401, f"Wrong key {KEY}"), "provider_unauthorized", "OPENAI_API_KEY"),
        (refuses(403), "provider_unauthorized", "OPENAI_API_KEY"),
        (refuses(404), "model_not_found", "gpt-4o"),
        (refuses(400, f"Too long, {KEY}"), "provider_refused", "Too long"),
        (breaks_off("Hel"), "provider_unreachable", "broke off"),
        (sends("{not json"), "provider_malformed", "no chat completion"),
        (sends([1, 2]), "provider_malformed", "no chat completion"),
        (sends("[DONE]"), "provider_broke_off", "broke off"),
        (sends({"choices": [{"delta": {"content": "Hel"}}]}), "provider_broke_off", "broke off"),
        (sends({"error": {"message": "overloaded"}}), "provider_failed", "overloaded"),
        (replies("<html>", "text/html"), "provider_malformed", "no chat completion"),
        (replies('{"error": {"message": "odd"}}', "application/json"), "provider_failed", "odd"),
        (replies("{}", "application/json"), "provider_broke_off", "broke off"),
    ],
)
async def test_failure_is_said_in_words_and_not_repeated(
    server: Provider, answer: Answer, kind: str, words: str
) -> None:
    error = await failure_of(server, answer)
    assert (error.status, error.kind) == (502, kind)
    assert words in error.message
    assert len(server.requests) == 1


async def test_what_had_come_is_kept_with_the_failure(server: Provider) -> None:
    server.will(breaks_off("Half an ", "answer"))
    completion = Completion()
    async with provider_at(server) as provider:
        with pytest.raises(ProviderError):
            await provider.complete(CALL, nowhere, completion)
    assert completion.first.content == "Half an answer"


async def test_slow_answer_is_a_timeout_and_not_asked_for_again(server: Provider) -> None:
    error = await failure_of(server, sleeps(2), says("Never."), provider_timeout_s=0.2)
    assert (error.status, error.code) == (504, "PROVIDER_TIMEOUT")
    assert len(server.requests) == 1


async def test_server_that_is_not_there_is_named_as_such(server: Provider) -> None:
    nobody = {"openai_base_url": "http://127.0.0.1:1/v1", "provider_retries": 0}
    error = await failure_of(server, **nobody)
    assert (error.kind, error.status) == ("provider_unreachable", 502)


async def test_without_a_provider_the_operator_is_told_what_to_set() -> None:
    with pytest.raises(ProviderNotConfigured, match="OPENAI_BASE_URL"):
        await ModelProvider(Settings(_env_file=None)).complete(CALL, nowhere)


async def test_only_so_many_calls_are_made_at_once(server: Provider) -> None:
    server.will()
    async with provider_at(server, provider_concurrency=2) as provider:
        completions = await asyncio.gather(*(provider.complete(CALL, nowhere) for _ in range(6)))
    assert all(completion.is_whole for completion in completions)
    assert server.at_once <= 2


async def test_call_waits_for_its_turn_no_longer_than_for_an_answer(server: Provider) -> None:
    server.will(drips())
    async with provider_at(server, provider_concurrency=1, provider_timeout_s=0.3) as provider:
        heard = asyncio.Event()
        first = asyncio.create_task(provider.complete(CALL, lambda _: heard.set()))
        await heard.wait()
        with pytest.raises(ProviderBusy, match="Too many"):
            await provider.complete(CALL, nowhere)
        first.cancel()
        await asyncio.wait([first])
        assert (await provider.complete(CALL, nowhere)).is_whole


async def test_cancelled_call_leaves_the_stream(server: Provider) -> None:
    server.will(drips())
    async with provider_at(server) as provider:
        heard = asyncio.Event()
        task = asyncio.create_task(provider.complete(CALL, lambda _: heard.set()))
        await heard.wait()
        task.cancel()
        await asyncio.wait([task])
    for _ in range(200):
        if server.cut_off:
            break
        await asyncio.sleep(0.02)
    assert server.cut_off == 1
