"""Steps of runs, read only. Their key has three columns, so URLs carry a text made of them."""

import re
from datetime import timedelta
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, Select, and_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.admin.base import Names, Row, ServiceView
from app.admin.filters import Filter
from app.admin.paging import Order
from app.core.actor import Actor
from app.core.permissions import Permission
from app.core.texts import lazy
from app.exceptions import NotFound
from app.models import Execution, Span
from app.services.executions import ExecutionService
from app.services.spans import EPOCH

KEY = re.compile(r"([0-9a-f]{32})-([0-9a-f]{16})-([0-9]{1,17})", re.ASCII)


class SpanView(ServiceView, model=Span):
    name, name_plural, icon = lazy("Span"), lazy("Spans"), "timeline"
    about = lazy("Steps of runs, newest run first; choose a run to see only its steps.")
    permissions: ClassVar[dict[str, Permission]] = {
        "list": Permission.EXECUTIONS_READ,
        "details": Permission.EXECUTIONS_READ,
        "export": Permission.EXECUTIONS_READ,
    }
    columns = (
        "span_id",
        "started_at",
        "execution_id",
        "kind",
        "name",
        "status",
        "input_tokens",
        "output_tokens",
        "cost",
    )
    more_columns = (
        "trace_id",
        "parent_span_id",
        "start_ns",
        "end_ns",
        "model_name",
        "provider_name",
        "tool_name",
        "cached_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
        "cost_source",
    )
    names: ClassVar[dict[str, Names]] = {
        "execution_id": Names(Execution.id, Permission.EXECUTIONS_READ, "run "),
    }
    labels: ClassVar[dict[str, str]] = {
        "span_id": lazy("Span"),
        "trace_id": lazy("Trace"),
        "model_name": lazy("Model"),
        "provider_name": lazy("Provider"),
        "cost": lazy("Cost, USD"),
    }
    list_filters = (Filter("execution_id", lazy("Execution id")),)
    sorts = ("execution_id",)
    default_sort = "-execution_id"

    def visible(self, session: AsyncSession, actor: Actor, *, trashed: bool = False) -> Select[Any]:
        """Those of runs that this person may see."""
        executions = ExecutionService(session, actor).visible().with_only_columns(Execution.id)
        return select(Span).where(Span.execution_id.in_(executions))

    def order(self, sort: str) -> Order:
        """As the index over run and start has them."""
        base = super().order(sort)
        return Order(
            (Span.execution_id, Span.start_ns, Span.span_id, Span.trace_id), base.descending
        )

    def key_columns(self) -> tuple[InstrumentedAttribute[Any], ...]:
        return (Span.trace_id, Span.span_id, Span.started_at)

    def key_of(self, row: Row) -> str:
        microseconds = (row.started_at - EPOCH) // timedelta(microseconds=1)
        return f"{row.trace_id.hex()}-{row.span_id.hex()}-{microseconds}"

    def key_rule(self, text: str) -> ColumnElement[bool]:
        parts = KEY.fullmatch(text)
        if parts is None:
            raise NotFound(lazy("There is no such span."))
        trace, span, microseconds = parts.groups()
        try:
            started_at = EPOCH + timedelta(microseconds=int(microseconds))
        except OverflowError as error:
            raise NotFound(lazy("There is no such span.")) from error
        return and_(
            Span.trace_id == bytes.fromhex(trace),
            Span.span_id == bytes.fromhex(span),
            Span.started_at == started_at,
        )
