"""Where a person stands in the database, as SQL: what is removed, replaced and kept of it."""

from enum import StrEnum

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB


class Fate(StrEnum):
    """What becomes of it."""

    REMOVED = "removed"
    REPLACED = "replaced"
    KEPT = "kept"


# Fields of audit events that say from where somebody came.
ADDRESS_FIELDS = frozenset({"ip", "user_agent", "last_used_ip"})
OF_PERSON = "user_id = :id"
REMOVED = (
    ("logins on pages", "staff_sessions", OF_PERSON),
    ("logins of the API", "refresh_tokens", OF_PERSON),
    ("invitations and password links", "user_tokens", OF_PERSON),
    ("recovery codes", "recovery_codes", OF_PERSON),
    ("ways to see lists", "list_preferences", OF_PERSON),
    ("views of their own", "saved_views", f"{OF_PERSON} AND NOT is_shared"),
    ("uploaded files", "imports", OF_PERSON),
    (
        "kept answers of requests",
        "idempotency_keys",
        "body IS NOT NULL AND CAST(body AS text) ILIKE ANY (:patterns)",
    ),
)
# Texts in which an e-mail may stand.
TEXTS = (
    ("jobs", "params", "jsonb"),
    ("jobs", "result", "jsonb"),
    ("jobs", "error", "text"),
    ("webhook_deliveries", "payload", "jsonb"),
    ("bulk_changes", "note", "text"),
    ("agent_revisions", "note", "text"),
    ("feedback", "comment", "text"),
    ("saved_views", "name", "text"),
    ("api_keys", "name", "text"),
)
ENDED_KEYS = """
UPDATE api_keys SET revoked_at = coalesce(revoked_at, clock_timestamp()), last_used_ip = NULL
WHERE user_id = :id RETURNING id
"""
MAILS = "kind = 'send_mail' AND sealed IS NOT NULL AND CAST(params ->> 'user_id' AS bigint) = :id"
UNSEALED_MAILS = f"UPDATE jobs SET sealed = NULL WHERE {MAILS} RETURNING id"  # noqa: S608


def holds(column: str) -> str:
    return f"CAST({column} AS text) ILIKE ANY (:patterns)"


def removal(table: str, which: str) -> str:
    return f"DELETE FROM {table} WHERE {which} RETURNING 1"  # noqa: S608  (of constants)


def replacement(table: str, column: str, kind: str) -> str:
    new = f"CAST(regexp_replace(CAST({column} AS text), :regex, :new, 'gi') AS {kind})"
    where = holds(column)
    return f"UPDATE {table} SET {column} = {new} WHERE {where} RETURNING 1"  # noqa: S608


def counted(table: str, which: str) -> str:
    return f"SELECT count(*) FROM {table} WHERE {which}"  # noqa: S608  (of constants)


STEPS: tuple[tuple[str, Fate, str], ...] = (
    *((words, Fate.REMOVED, removal(table, which)) for words, table, which in REMOVED),
    *(
        (f"{table} {column}".replace("_", " "), Fate.REPLACED, replacement(table, column, kind))
        for table, column, kind in TEXTS
    ),
    ("API keys", Fate.REPLACED, ENDED_KEYS),
    ("mails on their way", Fate.REPLACED, UNSEALED_MAILS),
)
KEPT = (
    ("agents of theirs, by their new name", "agents", OF_PERSON),
    ("tools of theirs, by their new name", "tools", OF_PERSON),
    ("views that they share", "saved_views", f"{OF_PERSON} AND is_shared"),
    ("runs that they reported, with what these held", "executions", "reported_by_user_id = :id"),
    ("feedback that they gave", "feedback", "created_by = :id"),
    ("revisions that they made", "agent_revisions", "created_by = :id"),
)
NAMES_THEM = " OR ".join(holds(column) for column in ("label", "changes", "reason"))
ABOUT = f"((resource = 'users' AND resource_id = :id) OR actor_user_id = :id OR {NAMES_THEM})"
SOME_EVENTS = text(
    f"SELECT * FROM audit_events WHERE id > :after AND {ABOUT} ORDER BY id LIMIT :at_once"  # noqa: S608
)
LISTED: tuple[tuple[str, Fate, str], ...] = (
    *((words, Fate.REMOVED, counted(table, which)) for words, table, which in REMOVED),
    *(
        (f"{table} {column}".replace("_", " "), Fate.REPLACED, counted(table, holds(column)))
        for table, column, _ in TEXTS
    ),
    ("API keys, which end", Fate.REPLACED, counted("api_keys", OF_PERSON)),
    ("mails on their way", Fate.REPLACED, counted("jobs", MAILS)),
    (
        "entries of the audit log, by them or about them",
        Fate.REPLACED,
        counted("audit_events", ABOUT),
    ),
    *((words, Fate.KEPT, counted(table, which)) for words, table, which in KEPT),
)
ERASE_EVENTS = text("SELECT erase_in_audit(:events)").bindparams(bindparam("events", type_=JSONB))
