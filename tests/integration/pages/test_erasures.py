"""All of a person as a file, and the end of it, with an audit log that still verifies."""

import json
from collections.abc import Awaitable, Callable

import httpx2
import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.permissions import Role
from app.models import Agent, ApiKey, AuditEvent, User
from app.schemas.users import UserUpdate
from app.services.audit_events import AuditEventService
from app.services.audit_seals import AuditSealService
from app.services.users import UserService
from tests.conftest import actor_for
from tests.factories.agents import make_agent
from tests.factories.api_keys import make_api_key
from tests.factories.executions import make_execution
from tests.factories.jobs import make_job
from tests.factories.saved_views import make_saved_view
from tests.factories.users import give_second_factor, make_session_token, make_user

EMAIL, OLD_EMAIL, NAME = "grace.hopper@navy.example", "grace@yale.example", "Grace Hopper"
TRACES = ("grace", "hopper", "192.0.2.7")
EVERYWHERE = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
"""
Verify = Callable[[], Awaitable[list[str]]]


@pytest.fixture
async def boss(staff: User, session: AsyncSession) -> User:
    staff.role = Role.SUPERUSER
    await session.flush()
    return staff


@pytest.fixture
async def grace(session: AsyncSession, boss: User, settings: Settings) -> User:
    """Somebody who left traces wherever one can."""
    users = UserService(session, actor_for(boss))
    person = await make_user(session, Role.STAFF, email=OLD_EMAIL)
    person.full_name = "G. Hopper"
    await session.flush()
    await users.update(person.id, UserUpdate(email=EMAIL, full_name=NAME))
    actor = actor_for(person)
    agent = await make_agent(session, actor, name="compiler")
    await make_execution(session, actor, agent, input="how are you")
    key, _ = await make_api_key(session, person)
    key.name = f"key of {EMAIL}"
    await make_session_token(session, person)
    await give_second_factor(session, person, settings)
    await make_saved_view(session, actor)
    await make_job(session, actor, params={"to": EMAIL.upper()}, error=f"no {EMAIL}")
    await session.execute(
        text("UPDATE staff_sessions SET ip = '192.0.2.7' WHERE user_id = :id"), {"id": person.id}
    )
    for reason in (f"asked by {EMAIL}", f"asked by {NAME}"):
        users.audit.record("update", "users", person, {"note": [None, NAME]}, reason)
    users.audit.record("update", "agents", agent, {"internal_notes": [None, f"ask {EMAIL}"]})
    await session.flush()
    await session.execute(
        text(
            "INSERT INTO audit_events (via, action, resource, changes, actor_user_id, ip) "
            "VALUES ('page', 'login', 'staff_sessions', jsonb_build_object('ip', "
            "jsonb_build_array(null, '192.0.2.7')), :id, '192.0.2.7')"
        ),
        {"id": person.id},
    )
    return person


@pytest.fixture
def problems(session: AsyncSession, settings: Settings) -> Verify:
    async def verify() -> list[str]:
        found = await AuditSealService(session, settings).verify()
        return [*found.problems, *found.warnings]

    return verify


async def traces_of(session: AsyncSession) -> set[str]:
    """The tables in which something of her stands."""
    found = set()
    for table in await session.scalars(text(EVERYWHERE)):
        whole = (await session.scalars(text(f"SELECT lower(t::text) FROM {table} t"))).all()
        if any(trace in row for row in whole for trace in TRACES):
            found.add(table)
    return found


async def test_erased_person_stands_nowhere_and_the_audit_log_verifies(
    web: httpx2.AsyncClient,
    session: AsyncSession,
    settings: Settings,
    grace: User,
) -> None:
    seals = AuditSealService(session, settings)
    assert await seals.seal() > 5
    assert {"users", "audit_events", "jobs", "staff_sessions", "api_keys"} <= await traces_of(
        session
    )
    page = (await web.get(f"/users/{grace.id}/erase")).text
    for words in ("Logins on pages", "Agents of theirs", "Entries of the audit log"):
        assert words in page
    answer = await web.post(f"/users/{grace.id}/erase", data={"confirmation": EMAIL})
    assert answer.status_code == 303, answer.text
    assert await traces_of(session) == set()

    session.expunge_all()
    await seals.seal()
    found = await seals.verify()
    assert (found.problems, found.warnings) == ([], [])
    assert found.erased >= 5
    user = (
        await session.execute(text("SELECT email, is_active FROM users ORDER BY id DESC"))
    ).all()
    assert (f"erased-{grace.id}@erased.invalid", False) in [tuple(row) for row in user]
    said = await session.scalar(text("SELECT action FROM audit_events ORDER BY id DESC LIMIT 1"))
    assert said == "erase"
    again = await web.get(f"/users/{grace.id}/erase")
    assert (again.status_code, "erased already" in again.text) == (409, True)


async def test_people_whose_emails_end_alike_keep_theirs(
    web: httpx2.AsyncClient, session: AsyncSession, grace: User
) -> None:
    job = await make_job(session, actor_for(grace), params={"to": f"to a.{EMAIL}\n{EMAIL}, bye"})
    other = await make_user(session, email=f"ms-{EMAIL}")
    users = UserService(session, actor_for(grace))
    users.audit.record("update", "users", other, {"email": [None, other.email]})
    await session.flush()
    await web.post(f"/users/{grace.id}/erase", data={"confirmation": EMAIL})
    await session.refresh(job)
    assert job.params == {"to": f"to a.{EMAIL}\nerased-{grace.id}@erased.invalid, bye"}
    told = text("SELECT changes -> 'email' ->> 1 FROM audit_events WHERE resource_id = :id")
    assert f"ms-{EMAIL}" in (await session.scalars(told, {"id": other.id})).all()


async def test_email_that_names_an_uploaded_file_is_found(
    web: httpx2.AsyncClient, session: AsyncSession, grace: User
) -> None:
    longer = f"{EMAIL}.au {EMAIL}.csv.au {EMAIL}.csvs"
    job = await make_job(session, actor_for(grace), params={"file": f"{EMAIL}.csv", "to": longer})
    imported = {"file": [None, f"letter of {EMAIL}.jsonl"]}
    AuditEventService(session, actor_for(grace)).record("import", "agents", None, imported)
    await session.flush()
    await web.post(f"/users/{grace.id}/erase", data={"confirmation": EMAIL})
    await session.refresh(job)
    assert job.params == {"file": f"erased-{grace.id}@erased.invalid.csv", "to": longer}
    told = text("SELECT changes -> 'file' ->> 1 FROM audit_events WHERE action = 'import'")
    assert await session.scalar(told) == f"letter of erased-{grace.id}@erased.invalid.jsonl"


async def test_name_of_one_word_is_taken_for_a_name_only_where_it_is_one(
    web: httpx2.AsyncClient, session: AsyncSession, boss: User
) -> None:
    ann = await make_user(session, Role.STAFF, email="ann@x.example")
    users = UserService(session, actor_for(boss))
    ann.full_name = "Agent"
    await session.flush()
    await users.update(ann.id, UserUpdate(full_name="Support Agent"))
    other = await make_user(session, Role.STAFF, email="bob@x.example")
    other.full_name = "Agent"
    users.audit.record("invite", "users", other, {"full_name": [None, "Agent"]})
    agent = await make_agent(session, actor_for(ann), name="agent")
    key, _ = await make_api_key(session, boss)
    key.name = "of ann@x.example.org"
    told = {"note": [None, "An Agent, ann@x.example, once Support Agent"]}
    users.audit.record("update", "users", ann, told, "Agent no more")
    by_ann = UserService(session, actor_for(ann)).audit
    by_ann.record("update", "agents", agent, {"prompt": ["Agent", "A Support Agent"]}, "Agent")
    await session.flush()
    answer = await web.post(f"/users/{ann.id}/erase", data={"confirmation": "ann@x.example"})
    assert answer.status_code == 303, answer.text
    session.expunge_all()
    assert await session.scalar(select(ApiKey.name).where(ApiKey.id == key.id)) == key.name
    new, gone = f"Erased person {ann.id}", f"erased-{ann.id}@erased.invalid"

    async def event_with(field: str, row: User | Agent) -> AuditEvent:
        is_of_row = AuditEvent.resource_id == row.id, AuditEvent.resource == row.__tablename__
        found = select(AuditEvent).where(AuditEvent.changes.has_key(field), *is_of_row)
        return (await session.scalars(found.order_by(AuditEvent.id).limit(1))).one()

    about = await event_with("note", ann)
    assert about.changes["note"] == [None, f"An Agent, {gone}, once {new}"]
    assert about.reason == "Agent no more"
    assert (await event_with("full_name", ann)).changes["full_name"] == [new, new]
    assert (await event_with("full_name", other)).changes["full_name"] == [None, "Agent"]
    by = await event_with("prompt", agent)
    assert by.changes["prompt"] == ["Agent", "A Support Agent"]
    assert (by.label, by.reason) == ("agent", "Agent")


async def test_erased_person_does_not_come_back(
    web: httpx2.AsyncClient, session: AsyncSession, grace: User
) -> None:
    await web.post(f"/users/{grace.id}/erase", data={"confirmation": EMAIL})
    session.expunge_all()
    answer = await web.post(f"/users/{grace.id}/restore")
    assert answer.status_code == 409
    assert "Invite them anew" in answer.text


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET changes = '{}' WHERE reason LIKE 'asked by%'",
        "UPDATE audit_erasures SET erased_digest = sha256('x')",
        "UPDATE audit_erasures SET signature = sha256('x')",
        "DELETE FROM audit_erasures",
    ],
)
async def test_what_is_changed_after_an_erasure_is_found(
    web: httpx2.AsyncClient, session: AsyncSession, grace: User, problems: Verify, statement: str
) -> None:
    await web.post(f"/users/{grace.id}/erase", data={"confirmation": EMAIL})
    session.expunge_all()
    assert await problems() == []
    for table in ("audit_events", "audit_erasures"):
        await session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER append_only"))
    await session.execute(text(statement))
    session.expunge_all()
    assert "was changed" in (await problems())[0]


async def test_nobody_is_erased_by_mistake(
    web: httpx2.AsyncClient, session: AsyncSession, boss: User, grace: User
) -> None:
    wrong = await web.post(f"/users/{grace.id}/erase", data={"confirmation": NAME})
    assert wrong.status_code == 422
    assert "Type the e-mail address of this person" in wrong.text
    own = await web.post(f"/users/{boss.id}/erase", data={"confirmation": boss.email})
    assert "You cannot erase yourself." in own.text
    assert await session.scalar(text("SELECT count(*) FROM users WHERE email = :e"), {"e": EMAIL})


async def test_all_of_a_person_leaves_as_lines_without_secrets(
    web: httpx2.AsyncClient, session: AsyncSession, grace: User
) -> None:
    answer = await web.get(f"/users/{grace.id}/export")
    assert answer.status_code == 200
    rows = [json.loads(line) for line in answer.text.splitlines()]
    tables = {row["table"] for row in rows}
    assert {"users", "staff_sessions", "api_keys", "agents", "executions", "audit_events"} <= tables
    run = next(row for row in rows if row["table"] == "executions")
    assert (run["body"]["input"], len(run["spans"])) == ("how are you", 3)
    assert not {"hashed_password", "totp_secret", "token_sha256", "secret_sha256"} & {
        key for row in rows for key in row
    }
    said = (await session.scalars(text("SELECT action FROM audit_events ORDER BY id DESC"))).all()
    assert "export" in said[:2]
