"""Where a person stands in the database, as SQL: what is removed, replaced and kept of it."""

from enum import StrEnum

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from app.core.texts import lazy


class Fate(StrEnum):
    """What becomes of it."""

    REMOVED = "removed"
    REPLACED = "replaced"
    KEPT = "kept"


# Fields of audit events that say from where somebody came.
ADDRESS_FIELDS = frozenset({"ip", "user_agent", "last_used_ip"})
# Those of a person's own events that are the name and nothing else.
NAME_FIELDS = frozenset({"full_name"})
OF_PERSON = "user_id = :id"


def holds(column: str) -> str:
    """Whether an e-mail stands in it; ILIKE is quick where none does."""
    return f"(CAST({column} AS text) ILIKE ANY (:patterns) AND CAST({column} AS text) ~* :regex)"


REMOVED = (
    (lazy("logins on pages"), "staff_sessions", OF_PERSON),
    (lazy("logins of the API"), "refresh_tokens", OF_PERSON),
    (lazy("invitations and password links"), "user_tokens", OF_PERSON),
    (lazy("recovery codes"), "recovery_codes", OF_PERSON),
    (lazy("ways to see lists"), "list_preferences", OF_PERSON),
    (lazy("views of their own"), "saved_views", f"{OF_PERSON} AND NOT is_shared"),
    (lazy("uploaded files"), "imports", OF_PERSON),
    (
        lazy("kept answers of requests"),
        "idempotency_keys",
        f"body IS NOT NULL AND {holds('body')}",
    ),
)
# Texts in which an e-mail may stand.
TEXTS = (
    (lazy("what jobs were asked to do"), "jobs", "params", "jsonb"),
    (lazy("what came of jobs"), "jobs", "result", "jsonb"),
    (lazy("errors of jobs"), "jobs", "error", "text"),
    (lazy("webhook messages"), "webhook_deliveries", "payload", "jsonb"),
    (lazy("reasons of bulk changes"), "bulk_changes", "note", "text"),
    (lazy("notes of revisions"), "agent_revisions", "note", "text"),
    (lazy("comments of feedback"), "feedback", "comment", "text"),
    (lazy("names of views"), "saved_views", "name", "text"),
    (lazy("names of API keys"), "api_keys", "name", "text"),
)
ENDED_KEYS = """
UPDATE api_keys SET revoked_at = coalesce(revoked_at, clock_timestamp()), last_used_ip = NULL
WHERE user_id = :id RETURNING id
"""
MAILS = "kind = 'send_mail' AND sealed IS NOT NULL AND CAST(params ->> 'user_id' AS bigint) = :id"
UNSEALED_MAILS = f"UPDATE jobs SET sealed = NULL WHERE {MAILS} RETURNING id"  # noqa: S608


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
        (words, Fate.REPLACED, replacement(table, column, kind))
        for words, table, column, kind in TEXTS
    ),
    (lazy("API keys"), Fate.REPLACED, ENDED_KEYS),
    (lazy("mails on their way"), Fate.REPLACED, UNSEALED_MAILS),
)
KEPT = (
    (lazy("agents of theirs, by their new name"), "agents", OF_PERSON),
    (lazy("tools of theirs, by their new name"), "tools", OF_PERSON),
    (lazy("views that they share"), "saved_views", f"{OF_PERSON} AND is_shared"),
    (
        lazy("runs that they reported, with what these held"),
        "executions",
        "reported_by_user_id = :id",
    ),
    (lazy("feedback that they gave"), "feedback", "created_by = :id"),
    (lazy("revisions that they made"), "agent_revisions", "created_by = :id"),
)
NAMES_THEM = " OR ".join(holds(column) for column in ("label", "changes", "reason"))
ABOUT = f"((resource = 'users' AND resource_id = :id) OR actor_user_id = :id OR {NAMES_THEM})"
SOME_EVENTS = text(
    f"SELECT * FROM audit_events WHERE id > :after AND {ABOUT} ORDER BY id LIMIT :at_once"  # noqa: S608
)
LISTED: tuple[tuple[str, Fate, str], ...] = (
    *((words, Fate.REMOVED, counted(table, which)) for words, table, which in REMOVED),
    *((words, Fate.REPLACED, counted(table, holds(column))) for words, table, column, _ in TEXTS),
    (lazy("API keys, which end"), Fate.REPLACED, counted("api_keys", OF_PERSON)),
    (lazy("mails on their way"), Fate.REPLACED, counted("jobs", MAILS)),
    (
        lazy("entries of the audit log, by them or about them"),
        Fate.REPLACED,
        counted("audit_events", ABOUT),
    ),
    *((words, Fate.KEPT, counted(table, which)) for words, table, which in KEPT),
)
ERASE_EVENTS = text("SELECT erase_in_audit(:events)").bindparams(bindparam("events", type_=JSONB))
