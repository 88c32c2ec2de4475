"""OpenTelemetry's conventions, 1.37 and later."""

from decimal import Decimal
from typing import Any

import orjson
import pytest

from app.models.spans import SpanKind, SpanStatus
from app.services.ingestion.facts import Evaluation
from tests.unit.dialects.spans import event, read

ASKED = [{"role": "user", "parts": [{"type": "text", "content": "Weather in Paris?"}]}]
CALLED = [
    {
        "role": "assistant",
        "parts": [
            {"type": "reasoning", "content": "A tool knows."},
            {"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Paris"}},
        ],
        "finish_reason": "tool_call",
    }
]
ANSWERED = [
    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "result": "rainy"}]}
]
CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city":"Paris"}'},
}


def text(value: Any) -> str:  # a JSON value
    return orjson.dumps(value).decode()


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("chat", SpanKind.LLM),
        ("generate_content", SpanKind.LLM),
        ("text_completion", SpanKind.LLM),
        ("embeddings", SpanKind.EMBEDDING),
        ("retrieval", SpanKind.RETRIEVER),
        ("create_agent", SpanKind.AGENT),
        ("invoke_agent", SpanKind.AGENT),
        ("invoke_workflow", SpanKind.AGENT),
        ("execute_tool", SpanKind.TOOL),
        ("plan", SpanKind.CHAIN),
        ("something_new", SpanKind.OTHER),
    ],
)
def test_operation_says_the_kind(operation: str, kind: SpanKind) -> None:
    assert read({"gen_ai.operation.name": operation}).kind is kind


@pytest.mark.parametrize("wrap", [text, lambda value: value], ids=["json", "structured"])
def test_messages_become_chat_messages(wrap: Any) -> None:
    facts = read(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.system_instructions": wrap([{"type": "text", "content": "Be brief."}]),
            "gen_ai.input.messages": wrap(ASKED + CALLED + ANSWERED),
            "gen_ai.output.messages": wrap(CALLED),
        }
    )
    said = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    assert facts.input == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Weather in Paris?"},
        said | {"reasoning_content": "A tool knows."},
        {"role": "tool", "content": "rainy", "tool_call_id": "c1"},
    ]
    assert facts.output == [said | {"reasoning_content": "A tool knows."}]


def test_messages_of_the_event_are_read_where_the_span_has_none() -> None:
    details = event(
        "gen_ai.client.inference.operation.details",
        **{"gen_ai.input.messages": text(ASKED), "gen_ai.output.messages": text(CALLED)},
    )
    facts = read({"gen_ai.operation.name": "chat"}, events=(details,))
    assert facts.input == [{"role": "user", "content": "Weather in Paris?"}]
    assert facts.output[0]["tool_calls"] == [CALL]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"input_tokens": 10, "output_tokens": 5}, (10, 5, None, None, None, False)),
        ({"input_tokens": 0, "output_tokens": 0}, (0, 0, None, None, None, False)),
        ({"input_tokens": "12"}, (12, None, None, None, None, False)),
        ({"input_tokens": -1, "output_tokens": 2.5}, (None, None, None, None, None, False)),
        ({"input_tokens": True}, (None, None, None, None, None, False)),
        (
            {"input_tokens": 100, "cache_read.input_tokens": 60, "cache_write.input_tokens": 20},
            (100, None, 60, 20, None, False),
        ),
        (
            {"input_tokens": 10, "cache_read.input_tokens": 60, "cache_creation.input_tokens": 20},
            (90, None, 60, 20, None, True),
        ),
        ({"output_tokens": 9, "reasoning.output_tokens": 4}, (None, 9, None, None, 4, False)),
    ],
    ids=["both", "zero", "text", "nonsense", "bool", "within", "apart", "reasoning"],
)
def test_usage(attributes: dict[str, Any], expected: tuple[Any, ...]) -> None:
    usage = read({f"gen_ai.usage.{key}": value for key, value in attributes.items()}).usage
    assert (
        usage.input,
        usage.output,
        usage.cached,
        usage.cache_write,
        usage.reasoning,
        usage.counted_apart,
    ) == expected


def test_answered_model_goes_before_the_asked_one() -> None:
    asked = {"gen_ai.request.model": "gpt-5"}
    assert read(asked).model_name == "gpt-5"
    assert read(asked | {"gen_ai.response.model": "gpt-5-2025"}).model_name == "gpt-5-2025"
    mixed = asked | {"llm.response.model_name": "gpt-5-2025"}
    assert read(mixed).model_name == "gpt-5-2025"


@pytest.mark.parametrize(
    ("sent", "known"),
    [
        ("openai", "openai"),
        ("OpenAI", "openai"),
        ("openai.responses", "openai"),
        ("aws.bedrock", "aws"),
        ("azure.ai.openai", "azure"),
        ("az.ai.inference", "azure"),
        ("gcp.vertex_ai", "google"),
        ("gemini", "google"),
        ("mistral_ai", "mistral"),
        ("x_ai", "x-ai"),
        ("xai", "x-ai"),
        ("moonshot_ai", "moonshotai"),
        ("ollama", "ollama"),
        ("langchain", None),
    ],
)
def test_provider_by_the_id_of_the_price_list(sent: str, known: str | None) -> None:
    assert read({"gen_ai.provider.name": sent}).provider == known


def test_agent_session_and_service() -> None:
    facts = read(
        {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.id": "asst_1",
            "gen_ai.agent.name": "Math Tutor",
            "gen_ai.agent.version": "7",
            "gen_ai.agent.description": "Helps with maths.",
            "gen_ai.conversation.id": "conv_1",
        },
        resource={
            "service.name": "tutor",
            "service.version": "1.2",
            "deployment.environment.name": "production",
        },
    )
    agent = facts.agent
    assert (agent.id, agent.name, agent.version) == ("asst_1", "Math Tutor", "7")
    assert agent.greenroom_id is None
    assert (agent.description, agent.service_name) == ("Helps with maths.", "tutor")
    assert (facts.session_id, facts.environment, facts.release) == ("conv_1", "production", "1.2")


@pytest.mark.parametrize("where", ["span", "resource"])
@pytest.mark.parametrize("name", ["greenroom.agent.id", "greenroom.agent.name"])
def test_pulled_configuration_says_agent_and_revision(where: str, name: str) -> None:
    ours = {name: "math-tutor", "greenroom.agent.revision": "4"}
    sent = {"gen_ai.agent.name": "Math Tutor", "gen_ai.agent.version": "7"}
    facts = read(sent | ours) if where == "span" else read(sent, resource=ours)
    agent = facts.agent
    assert (agent.greenroom_id, agent.version, agent.name) == ("math-tutor", "4", "Math Tutor")


def test_tool_step_keeps_arguments_and_result() -> None:
    facts = read(
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "weather",
            "gen_ai.tool.call.id": "c1",
            "gen_ai.tool.call.arguments": '{"city":"Paris"}',
            "gen_ai.tool.call.result": '"rainy"',
        }
    )
    assert (facts.tool_name, facts.tool_call_id) == ("weather", "c1")
    assert (facts.input, facts.output) == ({"city": "Paris"}, "rainy")


def test_error_tells_message_and_type() -> None:
    raised = event("exception", **{"exception.type": "TimeoutError", "exception.message": "late"})
    failed = read({}, events=(raised,), status=SpanStatus.ERROR)
    assert (failed.error, failed.error_type, failed.failed) == ("late", "TimeoutError", True)
    said = read(
        {"error.type": "429"}, events=(raised,), status=SpanStatus.ERROR, status_message="slow"
    )
    assert (said.error, said.error_type) == ("slow", "429")
    caught = read({}, events=(raised,))
    assert (caught.error, caught.error_type, caught.failed) == (None, None, False)


def test_evaluations_are_scores() -> None:
    graded = event(
        "gen_ai.evaluation.result",
        **{
            "gen_ai.evaluation.name": "Relevance",
            "gen_ai.evaluation.score.value": 0.0,
            "gen_ai.evaluation.score.label": "poor",
            "gen_ai.evaluation.explanation": "Off the point.",
        },
    )
    nameless = event("gen_ai.evaluation.result", **{"gen_ai.evaluation.score.value": 1.0})
    facts = read({}, events=(graded, nameless))
    assert facts.evaluations == [Evaluation("Relevance", 0.0, "poor", "Off the point.")]


def test_reported_cost_is_exact() -> None:
    assert read({"llm.cost.total": 0.1}).usage.cost == Decimal("0.1")
