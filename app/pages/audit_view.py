"""Audit events in words: who did what to which thing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.models import AuditEvent

VERBS: Mapping[str, str] = {
    "create": "created",
    "create_batch": "recorded a batch of runs:",
    "update": "changed",
    "delete": "moved to the trash",
    "restore": "restored",
    "restore_revision": "restored a revision of",
    "go_live": "put a revision live of",
    "revoke": "revoked",
    "pause": "paused",
    "resume": "resumed",
    "disable": "disabled",
    "enable": "enabled",
    "send_test": "sent a test message:",
    "redeliver": "sent again",
    "login": "logged in",
    "logout": "logged out",
    "login_refused": "was refused a login",
    "change_password": "changed the password of",
    "end": "ended",
    "cancel": "cancelled",
    "retry": "tried again",
    "feedback": "gave feedback on",
    "feedback_change": "changed feedback on",
    "feedback_remove": "took back feedback on",
    "ingest": "sent spans in",
    "replay": "sent again what was rejected of",
    "set_headers": "set the headers of",
    "end_all": "ended every session of",
    "reauthenticate": "confirmed their password in",
    "second_factor_refused": "gave a wrong code as",
    "begin_second_factor": "began a second factor for",
    "enable_second_factor": "set up the second factor of",
    "remove_second_factor": "removed the second factor of",
    "new_recovery_codes": "made new recovery codes for",
    "use_recovery_code": "used a recovery code of",
    "send_invitation": "invited",
    "send_password_reset": "sent a password link to",
    "accept_invitation": "accepted the invitation of",
    "reset_password": "reset the password of",
    "recompute_costs": "computed costs anew:",
    "dry_run": "tried out",
    "start": "started",
    "rotate": "rotated",
    "reuse": "used again",
    "denied": "was refused",
    "export": "exported",
    "upload": "uploaded a file of",
    "import": "imported a file of",
    "export_end": "ended an export of",
    "back_up": "made a",
}
VERBS_OF: Mapping[tuple[str, str], str] = {("jobs", "create_batch"): "queued a batch of jobs"}
NOUNS: Mapping[str, str] = {
    "agents": "agent",
    "tools": "tool",
    "agent_revisions": "revision",
    "executions": "execution",
    "spans": "spans",
    "ingest_batches": "batch",
    "jobs": "job",
    "bulk_changes": "bulk change",
    "model_prices": "model price",
    "api_keys": "API key",
    "users": "user",
    "webhook_endpoints": "webhook endpoint",
    "webhook_deliveries": "webhook message",
    "saved_views": "view",
    "list_preferences": "their way to see",
    "staff_sessions": "session",
    "refresh_tokens": "API login",
    "instance_settings": "settings",
    "audit_events": "the audit log",
    "requests": "request",
    "backups": "backup",
}
LINKS: Mapping[str, str] = {
    "agents": "/agents/{}",
    "tools": "/tools/{}",
    "executions": "/executions/{}",
    "ingest_batches": "/ingest/{}",
    "jobs": "/jobs/{}",
    "bulk_changes": "/bulk-changes/{}",
    "model_prices": "/model-prices/{}",
    "users": "/users/{}",
    "api_keys": "/keys/{}",
    "webhook_endpoints": "/webhooks/{}",
    "saved_views": "/views/{}",
}
QUIET_FIELDS = frozenset({"row_version", "deleted_at", "last_login_at"})
LONGEST_INLINE = 60
BY_STRANGERS = frozenset({"login_refused", "second_factor_refused", "send_password_reset"})


@dataclass(frozen=True, slots=True)
class Change:
    """One field, old and new as text; long ones are folded by the template."""

    field: str
    old: str
    new: str
    is_long: bool


@dataclass(frozen=True, slots=True)
class AuditLine:
    """An event as the pages show it."""

    event: AuditEvent
    actor: str
    verb: str
    noun: str
    label: str
    href: str | None
    changes: list[Change]


def as_text(value: Any) -> str:  # any JSON value
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return ", ".join(map(as_text, value)) or "none"
    return str(value)


def changes_in(event: AuditEvent) -> list[Change]:
    found = []
    for field, pair in event.changes.items():
        if field in QUIET_FIELDS or not isinstance(pair, list) or len(pair) != 2:
            continue
        old, new = as_text(pair[0]), as_text(pair[1])
        found.append(Change(field, old, new, max(len(old), len(new)) > LONGEST_INLINE))
    return found


def describe(event: AuditEvent, names: Mapping[str, str]) -> AuditLine:
    link = LINKS.get(event.resource)
    return AuditLine(
        event=event,
        actor=actor_label(event, names),
        verb=VERBS_OF.get((event.resource, event.action))
        or VERBS.get(event.action, event.action.replace("_", " ")),
        noun=NOUNS.get(event.resource, event.resource),
        label=event.label or "",
        href=link.format(event.resource_id) if link and event.resource_id else None,
        changes=changes_in(event),
    )


def actor_label(event: AuditEvent, names: Mapping[str, str]) -> str:
    """The key's name where a key did it, else the person's; the product itself has neither."""
    if event.actor_api_key_id is not None:
        return names.get(f"key:{event.actor_api_key_id}", f"key {event.actor_api_key_id}")
    if event.actor_user_id is not None:
        return names.get(f"user:{event.actor_user_id}", f"user {event.actor_user_id}")
    return "Someone not logged in" if event.action in BY_STRANGERS else "Greenroom"
