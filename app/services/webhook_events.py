"""Which changes webhooks are told of, and what they are told: ids and states, never contents."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.core.texts import lazy
from app.models import Job, JobKind, JobStatus, WebhookEvent
from app.models.base import JsonObject
from app.models.executions import OPEN_STATUSES, ExecutionSource, ExecutionStatus
from app.services.audit_events import Changes, as_json

E = WebhookEvent
BAD_ENDS = frozenset({ExecutionStatus.FAILED, ExecutionStatus.STALLED})
DESCRIPTIONS: Mapping[WebhookEvent, str] = {
    E.EXECUTION_FINISHED: lazy("A run has ended, well or not; its status says how."),
    E.EXECUTION_FAILED: lazy(
        "A run has failed, or is stalled: nothing was heard of it for too long."
    ),
    E.AGENT_CREATED: lazy("There is a new agent."),
    E.AGENT_UPDATED: lazy("Another revision of an agent is live."),
    E.AGENT_PAUSED: lazy("An agent is paused: its runtimes are told to stop."),
    E.AGENT_RESUMED: lazy("An agent may go on."),
    E.TOOL_PAUSED: lazy("A tool is paused: agents do without it."),
    E.TOOL_RESUMED: lazy("A tool can be called again."),
    E.KEY_CREATED: lazy("Somebody has made an API key."),
    E.KEY_PAUSED: lazy("An API key is paused: it opens nothing for a while."),
    E.KEY_RESUMED: lazy("An API key opens again."),
    E.KEY_REVOKED: lazy("An API key is revoked for good."),
    E.JOB_FAILED: lazy("A background job was given up."),
}


@dataclass(frozen=True, slots=True)
class Change:
    """What a service has just written: ``row`` holds the new values, ``changes`` the old ones."""

    resource: str
    action: str
    row: Any  # a row of the resource's model
    changes: Changes


def turned(changes: Changes, field: str, on: WebhookEvent, off: WebhookEvent) -> list[WebhookEvent]:
    """Whether a flag was switched, and which way."""
    if field not in changes:
        return []
    return [on if changes[field][1] else off]


def of_executions(change: Change) -> Sequence[WebhookEvent]:
    row = change.row
    # What is imported is no news.
    is_news = change.action == "create" or "status" in change.changes
    if not is_news or row.status in OPEN_STATUSES or row.source is ExecutionSource.IMPORT:
        return ()
    if row.status in BAD_ENDS:
        return (E.EXECUTION_FINISHED, E.EXECUTION_FAILED)
    return (E.EXECUTION_FINISHED,)


def of_agents(change: Change) -> Sequence[WebhookEvent]:
    if change.action == "go_live":
        is_first = change.changes["live_revision"][0] is None
        return (E.AGENT_CREATED if is_first else E.AGENT_UPDATED,)
    if change.action == "create":
        return ()
    return turned(change.changes, "is_active", E.AGENT_RESUMED, E.AGENT_PAUSED)


def of_tools(change: Change) -> Sequence[WebhookEvent]:
    if change.action == "create":
        return ()
    return turned(change.changes, "is_active", E.TOOL_RESUMED, E.TOOL_PAUSED)


def of_keys(change: Change) -> Sequence[WebhookEvent]:
    if change.action == "create":
        return (E.KEY_CREATED,)
    if change.action == "revoke":
        return (E.KEY_REVOKED,)
    return turned(change.changes, "paused_at", E.KEY_PAUSED, E.KEY_RESUMED)


def of_jobs(change: Change) -> Sequence[WebhookEvent]:
    # A delivery that fails must not make another one.
    job: Job = change.row
    failed = change.action == "end" and job.status is JobStatus.FAILED
    return (E.JOB_FAILED,) if failed and job.kind != JobKind.DELIVER_WEBHOOK else ()


RULES: Mapping[str, Callable[[Change], Sequence[WebhookEvent]]] = {
    "executions": of_executions,
    "agents": of_agents,
    "tools": of_tools,
    "api_keys": of_keys,
    "jobs": of_jobs,
}


def events_of(change: Change) -> Sequence[WebhookEvent]:
    rule = RULES.get(change.resource)
    return rule(change) if rule else ()


# Columns that say which row it is and how it stands; their names are those of the payload.
SHOWN: Mapping[str, Sequence[str]] = {
    "executions": (
        "agent_id",
        "external_id",
        "session_id",
        "status",
        "source",
        "started_at",
        "ended_at",
        "latency_ms",
    ),
    "agents": ("name", "is_active"),
    "tools": ("name", "is_active"),
    "api_keys": ("name", "user_id", "agent_id", "paused_at", "revoked_at"),
    "jobs": ("kind", "status", "attempts", "agent_id"),
}
ID_NAMES = {
    "executions": "execution_id",
    "agents": "agent_id",
    "tools": "tool_id",
    "api_keys": "key_id",
    "jobs": "job_id",
}


def data_of(change: Change) -> JsonObject:
    """The ``data`` of the message."""
    row, resource = change.row, change.resource
    shown = {name: as_json(getattr(row, name)) for name in SHOWN[resource]}
    data = {ID_NAMES[resource]: row.id} | shown
    if resource == "executions":
        data["trace_id"] = row.trace_hex
    if "live_revision" in change.changes:
        data["revision"] = change.changes["live_revision"][1]
    return data
