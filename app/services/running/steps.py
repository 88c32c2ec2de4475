"""The steps of a run as spans, under OpenTelemetry's names for generative AI. Pure functions."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.core.completions import Completion, WantedCall
from app.models.spans import SpanKind, SpanStatus
from app.schemas.spans import MAX_PROVIDER_NAME, PricedSpan, nanoseconds
from app.services.conversation import parsed
from app.services.running.plans import Plan

Json = dict[str, Any]
NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Root:
    """The run as a whole: what every step of it hangs from."""

    trace_id: bytes
    started_at: datetime
    agent_name: str
    agent_id: int

    @property
    def span_id(self) -> str:
        """The same one each time, so that whoever ends the run closes its span."""
        return hashlib.sha256(self.trace_id + b"run").hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Timing:
    """``first_ns`` is when the first word came."""

    start_ns: int
    end_ns: int
    first_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Priced:
    """Whose prices apply: the provider's name, or the host that was asked, which has none."""

    provider_name: str
    shown: str  # as traces name the provider


def root_span(root: Root, end_ns: int | None, error_type: str | None = None) -> PricedSpan:
    """The span of the run, open while ``end_ns`` is not known."""
    start_ns = nanoseconds(root.started_at)
    status = SpanStatus.UNSET if end_ns is None else SpanStatus.OK
    attributes = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": root.agent_name,
        "gen_ai.agent.id": str(root.agent_id),
    } | ({"error.type": error_type} if error_type else {})
    return PricedSpan(
        span_id=root.span_id,
        kind=SpanKind.AGENT,
        name=f"invoke_agent {root.agent_name}",
        status=SpanStatus.ERROR if error_type else status,
        start_ns=start_ns,
        end_ns=None if end_ns is None else max(end_ns, start_ns),
        attributes=attributes,
    )


def model_span(
    root: Root, plan: Plan, messages: list[Json], completion: Completion, timing: Timing,
    priced: Priced, error_type: str | None = None,
) -> PricedSpan:  # fmt: skip
    """One model call, whole or broken off."""
    usage = completion.usage
    said = completion.messages
    return PricedSpan(
        span_id=secrets.token_hex(8),
        parent_span_id=root.span_id,
        kind=SpanKind.LLM,
        name=f"chat {plan.model}"[:300],
        status=SpanStatus.ERROR if error_type else SpanStatus.OK,
        start_ns=timing.start_ns,
        end_ns=timing.end_ns,
        model_name=plan.model,
        provider_name=priced.provider_name[:MAX_PROVIDER_NAME],
        input_tokens=usage.input,
        output_tokens=usage.output,
        cached_tokens=usage.cached,
        cache_write_tokens=usage.cache_write,
        reasoning_tokens=usage.reasoning,
        input=messages,
        output=said[0] if len(said) == 1 else (said or None),
        attributes=attributes_of(plan, completion, timing, priced, error_type),
    )


def attributes_of(
    plan: Plan, completion: Completion, timing: Timing, priced: Priced, error_type: str | None
) -> Json:
    first_s = timing.first_ns and (timing.first_ns - timing.start_ns) / NS_PER_S
    usage = completion.usage
    known = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": priced.shown,
        "gen_ai.request.model": plan.model,
        "gen_ai.response.model": completion.model,
        "gen_ai.response.id": completion.response_id,
        "gen_ai.response.finish_reasons": completion.finish_reasons or None,
        "gen_ai.response.time_to_first_chunk": first_s,
        "gen_ai.usage.input_tokens": usage.input,
        "gen_ai.usage.output_tokens": usage.output,
        "gen_ai.usage.cache_read.input_tokens": usage.cached,
        "gen_ai.usage.cache_write.input_tokens": usage.cache_write,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning,
        "error.type": error_type,
    } | {f"gen_ai.request.{name}": value for name, value in plan.params.items()}
    return {name: value for name, value in known.items() if value is not None}


def tool_span(
    root: Root, call: WantedCall, result: Any, timing: Timing, error_type: str | None = None
) -> PricedSpan:
    """One tool call, whoever carried it out. ``result`` is any JSON."""
    attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": call.name,
        "gen_ai.tool.call.id": call.call_id,
        "gen_ai.tool.type": "function",
    } | ({"error.type": error_type} if error_type else {})
    return PricedSpan(
        span_id=secrets.token_hex(8),
        parent_span_id=root.span_id,
        kind=SpanKind.TOOL,
        name=f"execute_tool {call.name}"[:300],
        status=SpanStatus.ERROR if error_type else SpanStatus.OK,
        start_ns=timing.start_ns,
        end_ns=timing.end_ns,
        tool_name=call.name[:200],
        input=parsed(call.arguments or "{}"),
        output=result,
        attributes=attributes,
    )
