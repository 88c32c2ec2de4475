"""Runs as they were reported: read only, with the way to the trash and back."""

from typing import ClassVar

from sqlalchemy import ColumnElement

from app.admin.actions import TrashView
from app.admin.base import Names
from app.admin.filters import Filter, choices_of
from app.core.permissions import Permission
from app.core.texts import lazy
from app.models import Agent, AgentRevision, ApiKey, Execution, User
from app.models.executions import ExecutionSource, ExecutionStatus
from app.services.executions import ExecutionService
from app.services.ingestion.words import found_by


class ExecutionView(TrashView, model=Execution):
    name, name_plural, icon = lazy("Execution"), lazy("Executions"), "activity"
    about = lazy("Runs of agents, as they were reported.")
    service = ExecutionService
    permissions: ClassVar[dict[str, Permission]] = {
        "list": Permission.EXECUTIONS_READ,
        "details": Permission.EXECUTIONS_READ,
        "export": Permission.EXECUTIONS_READ,
        "delete": Permission.EXECUTIONS_DELETE,
        "action:trash": Permission.EXECUTIONS_DELETE,
        "action:restore": Permission.EXECUTIONS_DELETE,
    }
    columns = (
        "id",
        "started_at",
        "agent_id",
        "status",
        "model_name",
        "preview",
        "input_tokens",
        "output_tokens",
        "cost",
        "latency_ms",
        "error_count",
    )
    more_columns = (
        "stored_trace_id",
        "sent_trace_id",
        "external_id",
        "session_id",
        "source",
        "agent_revision_id",
        "ended_at",
        "span_count",
        "cached_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
        "cost_source",
        "error_type",
        "tags",
        "reported_by_user_id",
        "reported_by_key_id",
        "created_at",
        "updated_at",
        "row_version",
    )
    labels: ClassVar[dict[str, str]] = {
        "model_name": lazy("Model"),
        "stored_trace_id": lazy("Trace id"),
        "sent_trace_id": lazy("Trace id as it was sent, where another's run had it first"),
        "external_id": lazy("External id"),
        "session_id": lazy("Session id"),
        "latency_ms": lazy("Latency, ms"),
        "cost": lazy("Cost, USD"),
        "error_count": lazy("Errors"),
    }
    names: ClassVar[dict[str, Names]] = {
        "agent_id": Names(Agent.name, Permission.AGENTS_READ),
        "agent_revision_id": Names(AgentRevision.number, Permission.AGENTS_READ, "r"),
        "reported_by_user_id": Names(User.email, Permission.USERS_READ),
        "reported_by_key_id": Names(ApiKey.name, Permission.KEYS_READ),
    }
    list_filters = (
        Filter("agent_id", lazy("Agent id")),
        Filter("status", lazy("Status"), choices_of(ExecutionStatus)),
        Filter("source", lazy("Source"), choices_of(ExecutionSource)),
        Filter("model_name", lazy("Model")),
        Filter("session_id", lazy("Session")),
    )
    search_hint = lazy("Words of the run, or an external or trace id")
    sorts = ("started_at",)
    default_sort = "-started_at"
    page_path = "/executions"

    def search_rule(self, term: str) -> ColumnElement[bool]:
        return found_by(term)
