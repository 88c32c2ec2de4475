"""Everything that is kept of a person, or of an agent, as JSON lines; without secrets."""

from dataclasses import dataclass

from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.services.audit_events import SECRET_FIELDS
from app.services.exports import Export, Part

# Computed from other columns.
LEFT_OUT = sorted(SECRET_FIELDS | {"search", "successor", "content_sha256", "sha256"})
RUN = """
to_jsonb(r) || jsonb_build_object(
    'body', (SELECT to_jsonb(b) - 'search' FROM execution_bodies b
             WHERE b.execution_id = r.id AND b.started_at = r.started_at),
    'feedback', (SELECT jsonb_agg(to_jsonb(f)) FROM feedback f WHERE f.execution_id = r.id),
    'spans', (SELECT jsonb_agg(to_jsonb(s) || coalesce(to_jsonb(b), '{}') ORDER BY s.start_ns)
              FROM spans s LEFT JOIN span_bodies b USING (trace_id, span_id, started_at)
              WHERE s.execution_id = r.id))
"""
OF_AGENTS = "r.agent_id IN (SELECT id FROM agents WHERE user_id = :id)"


@dataclass(frozen=True, slots=True)
class Section:
    """Rows of ``table`` (as ``r``), which has an ``id``."""

    table: str
    which: str
    row: str = "to_jsonb(r)"

    @property
    def sql(self) -> str:
        told = f"jsonb_build_object('table', '{self.table}') || ({self.row})"
        told = f"({told}) - CAST(:left_out AS text[])"
        return (
            f"SELECT r.id, CAST({told} AS text) AS told FROM {self.table} r "  # noqa: S608
            f"WHERE {self.which} AND r.id > :after ORDER BY r.id LIMIT :at_once"
        )


OF_PERSON = (
    Section("users", "r.id = :id"),
    Section("staff_sessions", "r.user_id = :id"),
    Section("refresh_tokens", "r.user_id = :id"),
    Section("user_tokens", "r.user_id = :id"),
    Section("api_keys", "r.user_id = :id"),
    Section("saved_views", "r.user_id = :id"),
    Section("list_preferences", "r.user_id = :id"),
    Section("webhook_endpoints", "r.user_id = :id"),
    Section("bulk_changes", "r.user_id = :id"),
    Section("jobs", "r.user_id = :id"),
    Section("ingest_batches", "r.user_id = :id"),
    Section("feedback", "r.created_by = :id"),
    Section(
        "audit_events", "(r.actor_user_id = :id OR (r.resource = 'users' AND r.resource_id = :id))"
    ),
    Section("tools", "r.user_id = :id"),
    Section("agents", "r.user_id = :id"),
    Section("agent_revisions", OF_AGENTS),
    Section("executions", f"({OF_AGENTS} OR r.reported_by_user_id = :id)", RUN),
)
OF_AGENT = (
    Section("agents", "r.id = :id"),
    Section("agent_revisions", "r.agent_id = :id"),
    Section("jobs", "r.agent_id = :id"),
    Section("audit_events", "(r.resource = 'agents' AND r.resource_id = :id)"),
    Section("executions", "r.agent_id = :id", RUN),
)


class Wanted(BaseModel):
    """Of whom; on record with the export."""

    user_id: int | None = None
    agent_id: int | None = None


def all_of_person(user_id: int) -> Export:
    return whole("users", user_id, Wanted(user_id=user_id), OF_PERSON)


def all_of_agent(agent_id: int) -> Export:
    return whole("agents", agent_id, Wanted(agent_id=agent_id), OF_AGENT)


def whole(resource: str, row_id: int, wanted: Wanted, sections: tuple[Section, ...]) -> Export:
    """One section after another; the cursor is the place of a section and the last id in it."""

    async def read(session: AsyncSession, cursor: str | None, limit: int) -> Part:
        place, _, after = (cursor or "0:0").partition(":")
        section = sections[int(place)]
        parameters = {"id": row_id, "after": int(after), "at_once": limit, "left_out": LEFT_OUT}
        found = (await session.execute(text(section.sql), parameters)).all()
        rows = [row.told for row in found]
        if len(found) == limit:
            return Part(rows, f"{place}:{found[-1].id}")
        following = int(place) + 1
        return Part(rows, f"{following}:0" if following < len(sections) else None)

    return Export(resource, [], wanted, read, with_bodies=True)
