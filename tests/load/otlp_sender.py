"""``python -m tests.load.otlp_sender PORT KEY BATCHES SEED``: one exporter in its own process.

Batches of 512 spans of 1 to 4 kB, as the SDK's batch processor sends them, made before the clock
runs. Says READY, waits for a line, sends, and prints the seconds and each acknowledgement's.
"""

import http.client
import json
import os
import random
import sys
import time

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

BATCH, TRACE = 512, 16
WORDS = ("order", "customer", "looked", "found", "monday", "on", "its", "way", "to", "shipping")
HEADERS = {"Content-Type": "application/x-protobuf"}


def text(chance: random.Random, size: int) -> str:
    return " ".join(chance.choices(WORDS, k=size // 5))


def attributes_of(chance: random.Random, place: int) -> dict[str, object]:
    """A root, and below it calls of a model and of tools by turns."""
    if place == 0:
        asked = [{"role": "user", "parts": [{"type": "text", "content": text(chance, 800)}]}]
        return {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "load-agent",
            "gen_ai.conversation.id": f"session-{chance.randrange(1000)}",
            "gen_ai.input.messages": json.dumps(asked),
        }
    if place % 2:
        given = [{"role": "user", "parts": [{"type": "text", "content": text(chance, 1500)}]}]
        made = [{"role": "assistant", "parts": [{"type": "text", "content": text(chance, 700)}]}]
        return {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.request.temperature": 0.2,
            "gen_ai.request.max_tokens": 1000,
            "gen_ai.usage.input_tokens": chance.randrange(100, 4000),
            "gen_ai.usage.output_tokens": chance.randrange(10, 400),
            "gen_ai.response.id": f"chatcmpl-{chance.getrandbits(64):x}",
            "gen_ai.response.finish_reasons": "stop",
            "gen_ai.input.messages": json.dumps(given),
            "gen_ai.output.messages": json.dumps(made),
            "server.address": "api.openai.com",
            "server.port": 443,
        }
    return {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": chance.choice(("find_order", "cancel_order")),
        "gen_ai.tool.call.id": f"call_{chance.getrandbits(64):x}",
        "gen_ai.tool.call.arguments": json.dumps({"order": text(chance, 300)}),
        "gen_ai.tool.call.result": json.dumps({"found": text(chance, 1200)}),
    }


def batch(chance: random.Random) -> bytes:
    """Children before their parents, as they end."""
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add()
    resource = scope.resource.attributes.add()
    resource.key, resource.value.string_value = "service.name", "load"
    spans = scope.scope_spans.add().spans
    now = time.time_ns()
    for _ in range(BATCH // TRACE):
        trace_id = chance.randbytes(16)
        ids = [chance.randbytes(8) for _ in range(TRACE)]
        for place in reversed(range(TRACE)):
            span = spans.add(trace_id=trace_id, span_id=ids[place], name=f"step {place}", kind=1)
            span.parent_span_id = ids[0] if place else b""
            span.start_time_unix_nano = now + place * 1_000_000
            span.end_time_unix_nano = now + (place + 1) * 1_000_000 + (0 if place else 10**8)
            for key, value in attributes_of(chance, place).items():
                put(span.attributes.add(key=key).value, value)
    return request.SerializeToString()


def put(target: object, value: object) -> None:
    kinds = {str: "string_value", int: "int_value", float: "double_value"}
    setattr(target, kinds[type(value)], value)


def main() -> None:
    port, key, batches, seed = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    chance = random.Random(seed)  # noqa: S311  (no secrets are made)
    bodies = [batch(chance) for _ in range(batches)]
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    client.connect()
    os.write(1, f"READY {sum(map(len, bodies)) // (batches * BATCH)}\n".encode())
    sys.stdin.readline()
    began, acks = time.perf_counter(), []
    for body in bodies:
        sent = time.perf_counter()
        while True:
            client.request("POST", "/v1/traces", body, HEADERS | {"X-API-Key": key})
            answer = client.getresponse()
            content = answer.read()
            if answer.status == 200:
                break
            if answer.status not in (429, 503):
                raise SystemExit(f"{answer.status} {content!r}")
            time.sleep(0.05)
        acks.append(time.perf_counter() - sent)
    told = json.dumps({"seconds": time.perf_counter() - began, "acks": acks})
    os.write(1, f"{told}\n".encode())


if __name__ == "__main__":
    main()
