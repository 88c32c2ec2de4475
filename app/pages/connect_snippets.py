"""What to paste so that an agent's spans arrive here: one text a framework.

Every one reads the address and the key from ``OTEL_EXPORTER_OTLP_ENDPOINT`` and
``OTEL_EXPORTER_OTLP_HEADERS``, so none of them holds a secret.
"""

from dataclasses import dataclass

from app.core.texts import lazy

PLACEHOLDER = "gr_your_key"
EXPORTER = "opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"


@dataclass(frozen=True, slots=True)
class Snippet:
    """``about`` says which packages do the work."""

    key: str
    title: str
    about: str
    install: str
    code: str


PROVIDER = """from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

# Runs whose spans name no agent belong to the one that is called like the service.
provider = TracerProvider(resource=Resource.create({"service.name": "my-agent"}))
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
"""
SDK = f"""{PROVIDER}
tracer = trace.get_tracer("my-agent")
with tracer.start_as_current_span("invoke_agent my-agent") as span:
    span.set_attribute("gen_ai.operation.name", "invoke_agent")
    span.set_attribute("gen_ai.agent.name", "my-agent")
    with tracer.start_as_current_span("chat gpt-4o") as call:
        call.set_attribute("gen_ai.operation.name", "chat")
        call.set_attribute("gen_ai.request.model", "gpt-4o")
        call.set_attribute("gen_ai.usage.input_tokens", 12)
        call.set_attribute("gen_ai.usage.output_tokens", 34)

provider.shutdown()  # sends what still waits
"""
OPENAI_AGENTS = f"""{PROVIDER}
from agents import Agent, Runner
from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor

OpenAIAgentsInstrumentor().instrument(tracer_provider=provider)

agent = Agent(name="my-agent", instructions="Be brief.")
print(Runner.run_sync(agent, "Say hello.").final_output)
provider.shutdown()  # sends what still waits
"""
PYDANTIC_AI = f"""{PROVIDER}
from pydantic_ai import Agent

Agent.instrument_all()

agent = Agent("openai:gpt-4o", name="my-agent", instructions="Be brief.")
print(agent.run_sync("Say hello.").output)
provider.shutdown()  # sends what still waits
"""
LANGGRAPH = f"""{PROVIDER}
from langchain.agents import create_agent
from openinference.instrumentation.langchain import LangChainInstrumentor

LangChainInstrumentor().instrument(tracer_provider=provider)

agent = create_agent("openai:gpt-4o", system_prompt="Be brief.", name="my-agent")
agent.invoke({{"messages": [{{"role": "user", "content": "Say hello."}}]}})
provider.shutdown()  # sends what still waits
"""
CURL = """NOW=$(date +%s)
hex() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \\n'; }
curl -sS "$OTEL_EXPORTER_OTLP_ENDPOINT/v1/traces" \\
  -H "Authorization: Bearer ${OTEL_EXPORTER_OTLP_HEADERS#*%20}" \\
  -H "Content-Type: application/json" \\
  -d @- <<JSON
{"resourceSpans": [{
  "resource": {"attributes": [
    {"key": "service.name", "value": {"stringValue": "my-agent"}}]},
  "scopeSpans": [{"spans": [{
    "traceId": "$(hex 16)",
    "spanId": "$(hex 8)",
    "name": "chat gpt-4o",
    "kind": 3,
    "startTimeUnixNano": "$((NOW - 1))000000000",
    "endTimeUnixNano": "${NOW}000000000",
    "attributes": [
      {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
      {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4o"}},
      {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "12"}},
      {"key": "gen_ai.usage.output_tokens", "value": {"intValue": "34"}}]
  }]}]
}]}
JSON
"""
SNIPPETS = (
    Snippet(
        "opentelemetry",
        "OpenTelemetry",
        lazy("The OpenTelemetry SDK with its HTTP exporter; attributes by the GenAI conventions."),
        f"pip install {EXPORTER}",
        SDK,
    ),
    Snippet(
        "openai-agents",
        "OpenAI Agents",
        lazy(
            "openinference-instrumentation-openai-agents turns the SDK's traces into spans, which "
            "go here instead of to OpenAI. The model needs OPENAI_API_KEY."
        ),
        f"pip install openai-agents openinference-instrumentation-openai-agents {EXPORTER}",
        OPENAI_AGENTS,
    ),
    Snippet(
        "pydantic-ai",
        "Pydantic AI",
        lazy(
            "Pydantic AI makes spans by itself once it is told to. The model needs OPENAI_API_KEY."
        ),
        f"pip install pydantic-ai {EXPORTER}",
        PYDANTIC_AI,
    ),
    Snippet(
        "langgraph",
        "LangGraph",
        lazy(
            "openinference-instrumentation-langchain watches LangGraph and LangChain alike. The "
            "model needs OPENAI_API_KEY."
        ),
        "pip install langchain langchain-openai langgraph "
        f"openinference-instrumentation-langchain {EXPORTER}",
        LANGGRAPH,
    ),
    Snippet(
        "curl",
        "curl",
        lazy("One span as JSON, to see that address and key are right. Any POSIX shell will do."),
        "",
        CURL,
    ),
)


def snippet_of(key: str) -> Snippet:
    """That of a framework; the first for a name that is none."""
    return next((each for each in SNIPPETS if each.key == key), SNIPPETS[0])


def variables(origin: str, token: str) -> str:
    """The two variables; blanks in header values are written as %20."""
    return (
        f"export OTEL_EXPORTER_OTLP_ENDPOINT={origin}\n"
        f"export OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer%20{token}\n"
    )
