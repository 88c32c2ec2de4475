"""Runs that grow in odd ways, and what their totals should be. Random, the same for each seed."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import httpx2
from sqlalchemy import select, text

from app.core.actor import Actor
from app.core.database import Database
from app.models import Execution, Span
from app.models.spans import SpanStatus
from app.schemas.model_prices import ModelPriceUpdate, RecomputeRequest
from app.services.ingestion.otlp import JSON, PROTOBUF
from app.services.ingestion.reports import source_of
from app.services.ingestion.wire import WireSpan
from app.services.model_prices import ModelPriceService
from app.services.recomputing import Recomputer, Tally
from app.services.traces import count_errors, leaf_model_steps, totals_of
from tests.otlp.logs import encoded_logs, make_log
from tests.otlp.requests import SECOND, encoded, make_span

MODELS = ("gpt-4o", "house-model", "nobody-knows")
OWN = {
    *("id", "trace_id", "created_at", "updated_at", "row_version"),
    *("reported_by_key_id", "preview"),  # which key was first; log records are told of one alone
}
SINCE = datetime(2020, 1, 1, tzinfo=UTC)
UNTIL = datetime(2030, 1, 1, tzinfo=UTC)
Batch = list[WireSpan]


def said(chance: random.Random, model: str | None) -> dict[str, Any]:
    """Of a step that calls this model, or another one: usage or none of it, reported or not."""
    calls = {"gen_ai.operation.name": "chat", "gen_ai.request.model": model} if model else {}
    names = ("input_tokens", "output_tokens", "cache_read.input_tokens")
    known = [name for name in names if chance.random() < 0.6]
    counts = {f"gen_ai.usage.{name}": chance.randint(0, 9) for name in known}
    cost = {"gen_ai.usage.cost": chance.randint(0, 3) / 8} if chance.random() < 0.15 else {}
    return calls | (counts | cost if chance.random() < 0.7 else {})


def some_step(chance: random.Random, trace: int, number: int, count: int) -> Batch:
    """A span as it is sent at several moments: open, ended, and ended later.

    A root stays one: what is claimed of a run is not taken back (decision 25).
    """
    model = chance.choice([None, None, *MODELS])
    near = {1, max(1, number - 1), number + 1, chance.randint(1, count), count + 99} - {number}
    above = [None, number] if chance.random() < 0.15 else sorted(near)  # its own is none
    parent, words = chance.choice(above), said(chance, model)
    found = []
    for place in range(chance.choice([1, 1, 1, 2, 3])):
        if chance.random() < 0.3:
            parent = chance.choice(above)
        if chance.random() < 0.4:
            words = said(chance, model)
        status = chance.choice([SpanStatus.UNSET, SpanStatus.OK, SpanStatus.ERROR])
        span = make_span(number, trace=trace, parent=parent, attributes=words, status=status)
        end = None if place == 0 and chance.random() < 0.4 else span.start_ns + place + 9
        moved = SECOND if chance.random() < 0.05 else 0  # a step of its own, with the same id
        found.append(replace(span, start_ns=span.start_ns + moved, end_ns=end and end + moved))
    return found


def batches_of(chance: random.Random, trace: int) -> list[Batch]:
    """In any order, some more than once, a few at a time."""
    count = chance.randint(3, 24)
    sent = [s for n in range(1, count + 1) for s in some_step(chance, trace, n, count)]
    sent += chance.choices(sent, k=4)
    kind = chance.random()
    if kind < 0.5:
        chance.shuffle(sent)
    elif kind < 0.75:
        sent.reverse()
    found = []
    most = chance.choice([1, 2, 3, 8])
    while sent:
        size = chance.randint(1, most)
        found.append(sent[:size])
        sent = sent[size:]
    return found


def totals_in(steps: Sequence[Span]) -> dict[str, Any]:
    sums = totals_of(steps)
    sources = {step.cost_source for step in leaf_model_steps(steps)}
    return asdict(sums) | {
        "cost_source": source_of(sums.cost, sources),
        "span_count": len(steps),
        "error_count": count_errors(steps),
    }


@dataclass(frozen=True)
class Stage:
    """Where runs grow: who writes to them, each with a key of its own, and a price that changes."""

    database: Database
    actor: Actor
    writers: Sequence[httpx2.AsyncClient]
    price_id: int


def are_apart(one: Batch, other: Batch) -> bool:
    """Of the same span, what is stored last may count."""
    return not {span.span_id for span in one} & {span.span_id for span in other}


@dataclass
class Growing:
    """A run of one trace that grows."""

    stage: Stage
    chance: random.Random
    trace: int
    sent: Batch = field(default_factory=list)  # what the run should hold

    async def send(self, spans: Batch, writer: int = 0) -> None:
        kind = self.chance.choice([JSON, PROTOBUF])
        answer = await self.stage.writers[writer].post("/v1/traces", **encoded(spans, kind))
        assert answer.status_code == 200, answer.text

    async def run_id(self) -> int | None:
        statement = select(Execution.id).where(
            Execution.stored_trace_id == self.trace.to_bytes(16, "big")
        )
        async with self.stage.database.unit_of_work() as session:
            return await session.scalar(statement)

    async def go(self, batches: list[Batch]) -> None:
        """All of it, at times two at once, with something else in between."""
        while batches:
            together = [batches.pop(0)]
            if batches and self.chance.random() < 0.3 and are_apart(together[0], batches[0]):
                together.append(batches.pop(0))
            sending = (self.send(spans, writer) for writer, spans in enumerate(together))
            await asyncio.gather(*sending)
            self.sent += [span for spans in together for span in spans]
            await self.check("send")
            if self.chance.random() < 0.25:
                await self.meddle()

    async def meddle(self) -> None:
        steps = [self.price, self.put_away, self.tell, self.lose]
        (step,) = self.chance.choices(steps, [4, 2, 2, 1])
        await step()
        await self.check(step.__name__)

    async def price(self) -> None:
        """Another price, and all runs priced anew."""
        async with self.stage.database.unit_of_work() as session:
            data = ModelPriceUpdate.model_validate({"input_price": str(self.chance.randint(0, 9))})
            await ModelPriceService(session, self.stage.actor).update(self.stage.price_id, data)
        async with self.stage.database.unit_of_work() as session:
            request, tally = RecomputeRequest(since=SINCE, until=UNTIL), Tally()
            while await Recomputer(session, self.stage.actor).go_on(request, tally):
                pass

    async def put_away(self) -> None:
        """To the trash, where nothing is added, and back."""
        path = f"/api/v1/executions/{await self.run_id()}"
        assert (await self.stage.writers[0].delete(path)).status_code == 204
        if self.chance.random() < 0.5:
            await self.send(self.chance.choices(self.sent, k=2))
        assert (await self.stage.writers[0].post(f"{path}/restore")).status_code == 200

    async def tell(self) -> None:
        """Log records of two steps, which may not be there yet."""
        told = [
            make_log("gen_ai.user.message", {"content": "hi"}, span=number, trace=self.trace)
            for number in self.chance.sample(range(1, 24), 2)
        ]
        answer = await self.stage.writers[0].post("/v1/logs", **encoded_logs(told, JSON))
        assert answer.status_code == 200, answer.text

    async def lose(self) -> None:
        """Removed for good."""
        async with self.stage.database.unit_of_work() as session:
            await session.execute(text("DELETE FROM executions"))
        self.sent.clear()

    async def check(self, why: str) -> None:
        """The totals of each run are those of the steps that are stored."""
        async with self.stage.database.unit_of_work() as session:
            for run in (await session.scalars(select(Execution))).all():
                of_run = select(Span).where(Span.execution_id == run.id)
                wanted = totals_in((await session.scalars(of_run)).all())
                found = {name: getattr(run, name) for name in wanted}
                assert found == wanted, (self.trace, why, found, wanted)

    async def columns(self, trace: int) -> dict[str, Any]:
        statement = text("SELECT * FROM executions WHERE trace_id = :trace")
        async with self.stage.database.unit_of_work() as session:
            row = (
                await session.execute(statement, {"trace": trace.to_bytes(16, "big")})
            ).mappings()
            return {name: value for name, value in row.one().items() if name not in OWN}

    async def check_whole(self, other: int) -> None:
        """All columns are those of a run of which all came at once."""
        if not self.sent:
            return
        whole = [replace(span, trace_id=other.to_bytes(16, "big")) for span in self.sent]
        await self.send(whole)
        found, wanted = await self.columns(self.trace), await self.columns(other)
        differing = {k: (v, wanted[k]) for k, v in found.items() if v != wanted[k]}
        assert not differing, (self.trace, differing)
