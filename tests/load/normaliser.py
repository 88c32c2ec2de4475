"""``python -m tests.load.normaliser``: microseconds to read one span, by dialect."""

import statistics
import time
from collections.abc import Iterator
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from app.models.spans import SpanStatus
from app.services.ingestion.dialects import read_span
from app.services.ingestion.wire import Origin, WireSpan

ROUNDS, SPANS = 9, 2000
WORDS = "The train to Lisbon leaves at nine, and there are two seats by the window left. "
RESOURCE = {
    "service.name": "concierge",
    "service.version": "2.4.1",
    "deployment.environment.name": "production",
    "telemetry.sdk.name": "opentelemetry",
    "telemetry.sdk.language": "python",
}
CALL = {"id": "call_1", "name": "search", "arguments": {"from": "Porto", "to": "Lisbon"}}
Attributes = dict[str, Any]


def genai_chat() -> Attributes:
    """20 attributes, about 2 kB."""
    messages = [
        {"role": "user", "parts": [{"type": "text", "content": WORDS * 4}]},
        {"role": "assistant", "parts": [{"type": "tool_call", **CALL}]},
        {
            "role": "tool",
            "parts": [{"type": "tool_call_response", "id": "call_1", "response": WORDS * 4}],
        },
    ]
    answer = [{"role": "assistant", "parts": [{"type": "text", "content": WORDS * 4}]}]
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5-mini",
        "gen_ai.response.model": "gpt-5-mini-2025-08-07",
        "gen_ai.response.id": "chatcmpl-123",
        "gen_ai.conversation.id": "conv_5j66UpCpwteGg4YSxUnt7lPY",
        "gen_ai.agent.name": "concierge",
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.max_tokens": 1024,
        "gen_ai.request.top_p": 1.0,
        "gen_ai.output.type": "text",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 812,
        "gen_ai.usage.output_tokens": 96,
        "gen_ai.usage.cache_read.input_tokens": 512,
        "server.address": "api.openai.com",
        "server.port": 443,
        "gen_ai.system_instructions": text([{"type": "text", "content": WORDS * 3}]),
        "gen_ai.input.messages": text(messages),
        "gen_ai.output.messages": text(answer),
    }


def openinference_chat() -> Attributes:
    """28 attributes, about 4 kB: the messages twice, as its instrumentations send them."""
    first, call = "llm.input_messages.", "llm.input_messages.2.message.tool_calls.0.tool_call."
    return {
        "openinference.span.kind": "LLM",
        "llm.system": "openai",
        "llm.provider": "openai",
        "llm.model_name": "gpt-5-mini",
        "llm.invocation_parameters": '{"temperature":0.2,"max_tokens":1024}',
        "input.mime_type": "application/json",
        "input.value": text({"messages": [{"role": "user", "content": WORDS * 8}]}),
        "output.mime_type": "application/json",
        "output.value": text({"choices": [{"message": {"content": WORDS * 4}}]}),
        f"{first}0.message.role": "system",
        f"{first}0.message.content": WORDS * 3,
        f"{first}1.message.role": "user",
        f"{first}1.message.content": WORDS * 4,
        f"{first}2.message.role": "assistant",
        f"{call}id": "call_1",
        f"{call}function.name": "search",
        f"{call}function.arguments": '{"from":"Porto","to":"Lisbon"}',
        f"{first}3.message.role": "tool",
        f"{first}3.message.content": WORDS * 4,
        f"{first}3.message.tool_call_id": "call_1",
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.content": WORDS * 4,
        "llm.tools.0.tool.json_schema": '{"type":"function","function":{"name":"search"}}',
        "llm.token_count.prompt": 812,
        "llm.token_count.completion": 96,
        "llm.token_count.total": 908,
        "session.id": "s-1",
        "user.id": "u-1",
    }


def vercel_chat() -> Attributes:
    """18 attributes, about 1.5 kB."""
    messages = [{"role": "user", "content": [{"type": "text", "text": WORDS * 8}]}]
    return {
        "operation.name": "ai.generateText.doGenerate concierge",
        "ai.operationId": "ai.generateText.doGenerate",
        "ai.telemetry.functionId": "concierge",
        "ai.model.provider": "openai.responses",
        "ai.model.id": "gpt-5-mini",
        "ai.settings.maxRetries": 2,
        "ai.prompt.messages": text(messages),
        "gen_ai.system": "openai.responses",
        "gen_ai.request.model": "gpt-5-mini",
        "ai.response.finishReason": "stop",
        "ai.response.text": WORDS * 4,
        "ai.response.id": "resp_1",
        "ai.response.model": "gpt-5-mini-2025-08-07",
        "ai.usage.promptTokens": 14,
        "ai.usage.completionTokens": 20,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 14,
        "gen_ai.usage.output_tokens": 20,
    }


def tool_step() -> Attributes:
    """6 attributes, about 0.5 kB."""
    return {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "search",
        "gen_ai.tool.call.id": "call_1",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.arguments": '{"from":"Porto","to":"Lisbon"}',
        "gen_ai.tool.call.result": text({"seats": [WORDS] * 4}),
    }


def http_call() -> Attributes:
    """10 attributes of no dialect."""
    return {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "url.full": "https://api.example.com/v1/seats?from=porto",
        "server.address": "api.example.com",
        "server.port": 443,
        "network.protocol.version": "1.1",
        "user_agent.original": "python-httpx/0.28",
        "http.request.body.size": 412,
        "http.response.body.size": 2048,
        "thread.id": 140,
    }


def text(value: Any) -> str:  # a JSON value
    return orjson.dumps(value).decode()


CASES = {
    "genai chat": genai_chat(),
    "openinference chat": openinference_chat(),
    "vercel chat": vercel_chat(),
    "genai tool": tool_step(),
    "http": http_call(),
}


def span_of(attributes: Attributes) -> WireSpan:
    unset = SpanStatus.UNSET
    origin = Origin(resource=RESOURCE, scope_name="benchmark")
    return WireSpan(b"t" * 16, b"s" * 8, None, "chat", 0, 1, unset, "", attributes, (), origin)


def rounds(span: WireSpan) -> Iterator[float]:
    """CPU microseconds a span, round by round."""
    for _ in range(ROUNDS):
        before = time.process_time()
        for _ in range(SPANS):
            read_span(span)
        yield (time.process_time() - before) / SPANS * 1e6


def main() -> None:
    table = Table("span", "attributes", "bytes", "best µs", "median µs", "spans/s")
    for name, attributes in CASES.items():
        times = list(rounds(span_of(attributes)))
        best = min(times)
        size = len(orjson.dumps(attributes))
        row = [name, str(len(attributes)), str(size), f"{best:.1f}"]
        table.add_row(*row, f"{statistics.median(times):.1f}", f"{1e6 / best:,.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
