"""A span as it was sent, to what it says. Total: no attribute makes it raise."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.models.spans import SpanKind
from app.services.ingestion.dialects.dialect import Derive, Seen, Source, nothing_more
from app.services.ingestion.dialects.door import (
    Guard,
    clean_text,
    hides,
    is_plain,
    parsed,
    storable,
)
from app.services.ingestion.dialects.evaluations import evaluations_in
from app.services.ingestion.dialects.fields import READERS, Read
from app.services.ingestion.dialects.genai import instructed
from app.services.ingestion.dialects.happenings import error_in, merged
from app.services.ingestion.dialects.messages import Conversation, conversation_in, paired, said_by
from app.services.ingestion.dialects.register import NAMES, REGISTER
from app.services.ingestion.facts import AgentFacts, SpanFacts, UsageFacts
from app.services.ingestion.wire import Attributes, WireSpan

Found = dict[str, Any]  # facts by the names of fields.py
# Steps that answer with a value of their own, whatever it looks like.
PLAIN_KINDS = frozenset({SpanKind.TOOL, SpanKind.RETRIEVER, SpanKind.EMBEDDING})
BY_SPAN_NAME = {
    "chat": SpanKind.LLM,
    "invoke_agent": SpanKind.AGENT,
    "create_agent": SpanKind.AGENT,
    "execute_tool": SpanKind.TOOL,
    "embeddings": SpanKind.EMBEDDING,
}
MAX_SPAN_NAME = 300
OF_THE_RESOURCE: tuple[tuple[str, str, Read], ...] = tuple(
    (name, fact, READERS[fact])
    for name, fact in (
        ("service.name", "service_name"),
        ("greenroom.agent.id", "greenroom_id"),
        ("greenroom.agent.name", "greenroom_id"),
        ("greenroom.agent.revision", "greenroom_revision"),
        ("deployment.environment.name", "environment"),
        ("deployment.environment", "environment"),
        ("langfuse.environment", "environment"),
        ("langfuse.release", "release"),
        ("service.version", "release"),
    )
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of the dialects that are in a span, in their order."""

    derivations: tuple[Derive, ...]
    inputs: tuple[Source, ...]
    outputs: tuple[Source, ...]


_plans: dict[int, Plan] = {}  # by the bits of the dialects


def plan_of(dialects: int) -> Plan:
    present = [dialect for bit, dialect in enumerate(REGISTER) if dialects >> bit & 1]
    plan = _plans[dialects] = Plan(
        tuple(d.derive for d in present if d.derive is not nothing_more),
        tuple(source for dialect in present for source in dialect.inputs),
        tuple(source for dialect in present for source in dialect.outputs),
    )
    return plan


@dataclass(frozen=True, slots=True)
class Words:
    """What is said in a span, by the dialects that are in it."""

    seen: Seen
    plan: Plan

    @property
    def input(self) -> Any:  # messages, or any JSON value
        seen = self.seen
        found = words(seen, self.plan.inputs, "user")
        return found if seen.kind in PLAIN_KINDS else instructed(seen, found)

    @property
    def output(self) -> Any:  # messages, or any JSON value
        return words(self.seen, self.plan.outputs, "assistant")


def looked_at(span: WireSpan) -> tuple[Seen, Found, Plan]:
    seen = Seen(span)
    found, dialects = look(seen, span.attributes)
    for event in span.events:
        dialects |= merged(seen, found, event, look)
    return seen, found, _plans.get(dialects) or plan_of(dialects)


def words_in(span: WireSpan, kind: SpanKind) -> Words:
    """What is said in a span that has been read before, and turned out to be of this kind."""
    seen, _, plan = looked_at(span)
    seen.kind = kind
    return Words(seen, plan)


def read_span(span: WireSpan) -> SpanFacts:
    """What one span says. Never raises; takes time in proportion to the span's size."""
    seen, found, plan = looked_at(span)
    for derive in plan.derivations:
        add(found, derive(seen))
    found = RESOURCES.read(span.origin.resource) | found
    seen.kind = kind_of(seen, found)
    facts = SpanFacts(
        kind=seen.kind,
        attributes=seen.attributes,
        spoken=Words(seen, plan),
        usage=usage_of(seen, found),
        agent=agent_of(seen, found),
        model_name=found.get("model_answered") or found.get("model_asked"),
        provider=found.get("provider"),
        tool_name=found.get("tool_name"),
        tool_call_id=found.get("tool_call_id"),
        session_id=found.get("session_id"),
        end_user=found.get("end_user"),
        environment=found.get("environment"),
        release=found.get("release"),
        tags=found.get("tags") or [],
        evaluations=evaluations_in(seen),
    )
    facts.error, facts.error_type, facts.failed = error_in(seen, found)
    return facts


def look(seen: Seen, attributes: Attributes) -> tuple[Found, int]:
    """One pass over the attributes: what is kept, what is known, and which dialects are there."""
    found: Found = {}
    ranks: dict[str, int] = {}
    dialects = 0
    known, kept = NAMES.known, seen.attributes
    for key, given in attributes.items():
        name = known.get(key) or NAMES.learn(key)
        if name.guard is not Guard.OPEN and hides(name.guard, given):
            continue
        value = kept[name.text] = given if is_plain(given) else seen.admit(name.text, given)
        dialects |= name.dialects
        for fact, rank, read in name.uses:
            if rank < ranks.get(fact, rank + 1) and (meant := read(value)) is not None:
                found[fact], ranks[fact] = meant, rank
        if name.family is not None:
            seen.families.setdefault(name.family, []).append((name.path, value))
    return found, dialects


def add(found: Found, more: Mapping[str, Any]) -> None:
    for fact, value in more.items():
        if value is not None:
            found.setdefault(fact, value)


class Resources:
    """What the resource of the last span says: the spans of one export share it."""

    __slots__ = ("last",)

    def __init__(self) -> None:
        self.last: tuple[Attributes, Found] = ({}, {})

    def read(self, resource: Attributes) -> Found:
        last, found = self.last
        if last is not resource:
            found = _read_resource(resource)
            self.last = (resource, found)
        return found


RESOURCES = Resources()


def _read_resource(resource: Attributes) -> Found:
    found: Found = {}
    for name, fact, read in OF_THE_RESOURCE:
        value = resource.get(name)
        if value is not None and fact not in found:
            add(found, {fact: read(clean_text(value) if type(value) is str else value)})
    return found


def kind_of(seen: Seen, found: Found) -> SpanKind:
    """What the span says of itself, else what its facts and its name tell."""
    said: SpanKind | None = found.get("kind_in_graph") or found.get("kind")
    if said is not None:
        return said
    if "tool_name" in found:
        return SpanKind.TOOL
    first = seen.span.name[:MAX_SPAN_NAME].partition(" ")[0]
    if first in BY_SPAN_NAME and ("model_asked" in found or "agent_name" in found):
        return BY_SPAN_NAME[first]
    if "input_tokens" in found and ("model_asked" in found or "model_answered" in found):
        return SpanKind.AGENT if "agent_name" in found else SpanKind.LLM
    return SpanKind.OTHER


def usage_of(seen: Seen, found: Found) -> UsageFacts:
    """Counts that do not contain the cached tokens are fewer than those: their sum is the input."""
    usage = UsageFacts(
        input=found.get("input_tokens"),
        output=found.get("output_tokens"),
        cached=found.get("cached"),
        cache_write=found.get("cache_write"),
        reasoning=found.get("reasoning"),
        cost=found.get("cost"),
    )
    total = found.get("total_tokens")
    if usage.input is None and total is not None:
        usage.input = max(0, total - (usage.output or 0))
    if seen.kind is SpanKind.EMBEDDING and usage.input is not None:
        usage.output = usage.output or 0  # embeddings are no tokens
    beside = (usage.cached or 0) + (usage.cache_write or 0)
    if usage.input is not None and beside > usage.input:
        usage.input, usage.counted_apart = usage.input + beside, True
    return usage


def named_agent(seen: Seen, found: Found) -> str | None:
    """The agent's name, else the one in the name of its span: ``invoke_agent Tutor``."""
    name: str | None = found.get("agent_name")
    first, _, rest = seen.span_name.partition(" ")
    if name is None and seen.kind is SpanKind.AGENT and first in ("invoke_agent", "create_agent"):
        return rest.strip() or None
    return name


def agent_of(seen: Seen, found: Found) -> AgentFacts:
    ours = found.get("greenroom_id")
    return AgentFacts(
        greenroom_id=ours,
        id=found.get("agent_id"),
        name=named_agent(seen, found),
        version=(ours and found.get("greenroom_revision")) or found.get("agent_version"),
        description=found.get("agent_description"),
        service_name=found.get("service_name"),
    )


def words(seen: Seen, sources: tuple[Source, ...], role: str) -> Any:
    """A conversation where one is found (not in tools), else the first value that is there."""
    first: Any = None
    for source in sources:
        value = seen.value(source) if isinstance(source, str) else source(seen)
        if value is None:
            continue
        if seen.kind in PLAIN_KINDS:
            return plain(value)
        if type(value) is Conversation:
            return paired(value)
        messages = conversation_in(value, role, strict=seen.kind is not SpanKind.LLM)
        if messages is not None:
            return paired(Conversation(messages))
        first = value if first is None else first
    first = plain(first)
    if seen.kind is SpanKind.LLM and type(first) is str:
        return Conversation([said_by(role, first)])
    return first


def plain(value: Any) -> Any:  # any JSON value
    """A value by itself; JSON texts in quotes are what they quote."""
    if type(value) is str and value[:1] == value[-1:] == '"' and len(value) > 1:
        unquoted = parsed(f"[{value}]")
        if type(unquoted) is list and len(unquoted) == 1 and type(unquoted[0]) is str:
            return clean_text(unquoted[0])
    return value


def attributes_at_the_door(attributes: Attributes) -> dict[str, Any]:
    """Attributes of an event or a resource as they may be kept: jsonb, without secrets."""
    kept: dict[str, Any] = storable(attributes)
    return kept
