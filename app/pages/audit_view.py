"""Audit events in words: who did what to which thing."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.core.templating import absolute
from app.core.texts import _, lazy
from app.models import AuditEvent
from app.schemas.audit_events import AuditQuery
from app.services.audit_events import AuditEventService

VERBS: Mapping[str, str] = {
    "create": lazy("created"),
    "create_batch": lazy("recorded a batch of runs:"),
    "update": lazy("changed"),
    "delete": lazy("moved to the trash:"),
    "restore": lazy("restored"),
    "restore_revision": lazy("restored a revision of"),
    "go_live": lazy("put a revision live of"),
    "revoke": lazy("revoked"),
    "pause": lazy("paused"),
    "resume": lazy("resumed"),
    "disable": lazy("disabled"),
    "enable": lazy("enabled"),
    "send_test": lazy("sent a test message:"),
    "redeliver": lazy("sent again"),
    "login": lazy("logged in"),
    "logout": lazy("logged out"),
    "login_refused": lazy("was refused a login"),
    "change_password": lazy("changed the password of"),
    "end": lazy("ended"),
    "cancel": lazy("cancelled"),
    "retry": lazy("tried again"),
    "feedback": lazy("gave feedback on"),
    "feedback_change": lazy("changed feedback on"),
    "feedback_remove": lazy("took back feedback on"),
    "ingest": lazy("sent spans in"),
    "replay": lazy("sent again what was rejected of"),
    "set_headers": lazy("set the headers of"),
    "end_all": lazy("ended every session of"),
    "reauthenticate": lazy("confirmed their password in"),
    "second_factor_refused": lazy("gave a wrong code as"),
    "begin_second_factor": lazy("began a second factor for"),
    "enable_second_factor": lazy("set up the second factor of"),
    "remove_second_factor": lazy("removed the second factor of"),
    "new_recovery_codes": lazy("made new recovery codes for"),
    "use_recovery_code": lazy("used a recovery code of"),
    "send_invitation": lazy("invited"),
    "send_password_reset": lazy("sent a password link to"),
    "accept_invitation": lazy("accepted the invitation of"),
    "reset_password": lazy("reset the password of"),
    "recompute_costs": lazy("computed costs anew:"),
    "dry_run": lazy("tried out"),
    "start": lazy("started"),
    "rotate": lazy("rotated"),
    "reuse": lazy("used again"),
    "denied": lazy("was refused"),
    "export": lazy("exported"),
    "upload": lazy("uploaded a file of"),
    "import": lazy("imported a file of"),
    "export_end": lazy("ended an export of"),
    "back_up": lazy("made a"),
    "verify": lazy("verified"),
    "erase": lazy("erased the personal data of"),
    "apply_retention": lazy("applied"),
    "advance": lazy("set how far back runs are kept under"),
    "remove": lazy("removed what was too old under"),
}
VERBS_OF: Mapping[tuple[str, str], str] = {("jobs", "create_batch"): lazy("queued a batch of jobs")}
NOUNS: Mapping[str, str] = {
    "agents": lazy("agent"),
    "tools": lazy("tool"),
    "agent_revisions": lazy("revision"),
    "executions": lazy("execution"),
    "spans": lazy("spans"),
    "ingest_batches": lazy("batch"),
    "jobs": lazy("job"),
    "bulk_changes": lazy("bulk change"),
    "model_prices": lazy("model price"),
    "api_keys": lazy("API key"),
    "users": lazy("user"),
    "webhook_endpoints": lazy("webhook endpoint"),
    "webhook_deliveries": lazy("webhook message"),
    "saved_views": lazy("view"),
    "list_preferences": lazy("their way to see"),
    "staff_sessions": lazy("session"),
    "refresh_tokens": lazy("API login"),
    "instance_settings": lazy("settings"),
    "audit_events": lazy("the audit log"),
    "requests": lazy("request"),
    "backups": lazy("backup"),
    "audit_seals": lazy("audit log"),
    "retention": lazy("the rules of retention"),
}
# What is done to a list of them, not to one.
OF_MANY = frozenset({"export", "export_end", "upload", "import"})
PLURALS: Mapping[str, str] = {
    "agents": lazy("agents"),
    "tools": lazy("tools"),
    "agent_revisions": lazy("revisions"),
    "executions": lazy("executions"),
    "ingest_batches": lazy("batches"),
    "jobs": lazy("jobs"),
    "bulk_changes": lazy("bulk changes"),
    "model_prices": lazy("model prices"),
    "api_keys": lazy("API keys"),
    "users": lazy("users"),
    "webhook_endpoints": lazy("webhook endpoints"),
    "webhook_deliveries": lazy("webhook messages"),
    "saved_views": lazy("views"),
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
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
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
    return moment_text(str(value))


def moment_text(text: str) -> str:
    """A moment as all pages show it; any other text as it is."""
    return absolute(datetime.fromisoformat(text)) if MOMENT.fullmatch(text) else text


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
    noun = noun_of(event)
    return AuditLine(
        event=event,
        actor=actor_label(event, names),
        verb=VERBS_OF.get((event.resource, event.action))
        or VERBS.get(event.action, event.action.replace("_", " ")),
        noun=noun,
        label="" if event.label in (None, noun) else event.label,
        href=link.format(event.resource_id) if link and event.resource_id else None,
        changes=changes_in(event),
    )


def noun_of(event: AuditEvent) -> str:
    noun = NOUNS.get(event.resource, event.resource)
    is_of_many = event.action in OF_MANY and event.resource_id is None
    return PLURALS.get(event.resource, noun) if is_of_many else noun


async def lines_about(
    audit: AuditEventService, resource: str, row_id: int, limit: int
) -> list[AuditLine]:
    """What happened to one row, newest first."""
    query = AuditQuery(resource=resource, resource_id=row_id, limit=limit)
    events = (await audit.list_slice(query)).items
    names = await audit.actor_names(events)
    return [describe(event, names) for event in events]


def actor_label(event: AuditEvent, names: Mapping[str, str]) -> str:
    """The key's name where a key did it, else the person's; the product itself has neither."""
    if event.actor_api_key_id is not None:
        return names.get(
            f"key:{event.actor_api_key_id}", _("key %(id)s", id=event.actor_api_key_id)
        )
    if event.actor_user_id is not None:
        return names.get(f"user:{event.actor_user_id}", _("user %(id)s", id=event.actor_user_id))
    return _("Someone not logged in") if event.action in BY_STRANGERS else "Greenroom"
