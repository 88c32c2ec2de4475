"""Forms of the data admin: what is saved, what is refused, and that nothing is lost."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.fields import JsonField
from app.admin.forms import RowForm
from app.core.actor import Actor
from app.core.database import Database
from app.core.permissions import Role
from app.exceptions import Unavailable
from app.models import Agent, AuditEvent, Tool, User
from app.models.tools import ToolKind
from app.services.agents import AgentService
from tests.factories.agents import make_agent
from tests.factories.tools import make_tool
from tests.factories.users import make_user
from tests.integration.admin.conftest import form_values, texts
from tests.integration.admin.stock import State, Stock


class Probe(RowForm):
    content = JsonField("Content", default={})


AGENT = {"name": "support-bot", "model_name": "gpt-4o", "max_tokens": "500", "config": "{}"}


async def stored(session: AsyncSession, agent: Agent) -> Agent:
    found = await session.get(Agent, agent.id, populate_existing=True)
    assert found is not None
    return found


async def audit_count(session: AsyncSession) -> int:
    return await session.scalar(select(func.count(AuditEvent.id))) or 0


async def test_create_goes_through_the_service_with_owner_revision_and_audit(
    desk: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    answer = await desk.post("/admin/agents/create", data=AGENT | {"note": "First of its kind"})

    agent = await session.scalar(select(Agent).where(Agent.name == "support-bot"))
    assert agent is not None
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/admin/agents/details/{agent.id}?notice=created"
    assert agent.user_id == staff.id
    assert agent.live_revision_id is not None
    event = await session.scalar(select(AuditEvent).where(AuditEvent.action == "create"))
    assert event is not None
    assert (event.resource, event.resource_id, event.via) == ("agents", agent.id, "admin")
    assert event.actor_user_id == staff.id
    assert "Created." in (await desk.get(answer.headers["location"])).text


async def test_edit_saves_what_changed_and_records_old_and_new(
    desk: httpx2.AsyncClient, session: AsyncSession, owner: Actor
) -> None:
    agent = await make_agent(session, owner)
    path = f"/admin/agents/edit/{agent.id}"
    values = form_values((await desk.get(path)).text)

    answer = await desk.post(path, data=values | {"internal_notes": "Ask Ada.\r\nThen Bob."})

    assert answer.status_code == 303
    assert (await stored(session, agent)).internal_notes == "Ask Ada.\nThen Bob."
    event = await session.scalar(select(AuditEvent).order_by(AuditEvent.id.desc()))
    assert event is not None
    assert event.changes["internal_notes"] == [None, "Ask Ada.\nThen Bob."]
    assert set(event.changes) == {"internal_notes", "row_version"}


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"list": [], "zero": 0, "no": False, "empty": "", "null": None},
        {"text": 'quotes " and <tags> & ümlauts\n', "number": 0.1, "big": 2**60},
    ],
)
async def test_saving_unchanged_changes_nothing(
    desk: httpx2.AsyncClient, session: AsyncSession, owner: Actor, config: dict[str, Any]
) -> None:
    tool = await make_tool(session, owner)
    prompt = "\nStarts with a line break,\nhas <b>tags</b>\r\nand both line ends."
    agent = await make_agent(
        session, owner, config=config, system_prompt=prompt, tool_ids=[tool.id]
    )
    before = await audit_count(session)
    path = f"/admin/agents/edit/{agent.id}"

    answer = await desk.post(path, data=form_values((await desk.get(path)).text))

    assert answer.status_code == 303, answer.text
    after = await stored(session, agent)
    assert after.config == config
    assert after.system_prompt == prompt
    assert after.row_version == agent.row_version
    assert await audit_count(session) == before


@pytest.mark.parametrize("value", [[], 0, False, "", None])
async def test_json_field_keeps_any_value_of_a_form_that_is_saved_unchanged(value: object) -> None:
    shown = Probe(data={"content": value})["content"]._value()  # type: ignore[attr-defined]  # text

    assert json.loads(shown) == value


async def test_stock_sqladmin_empties_json_and_changes_enums_of_a_form_saved_unchanged(
    stock: Stock,
) -> None:
    note_id = stock.add(title="t", data=[], state=State.LIVE)
    path = f"/admin/note/edit/{note_id}"
    page = (await stock.client.get(path)).text.replace("<form", "<main><form", 1)

    await stock.client.post(path, data=form_values(page) | {"save": "Save"})

    note = stock.get(note_id)
    assert note is not None
    assert note.data == {}
    assert note.state is State.DRAFT


@pytest.mark.parametrize("kind", list(ToolKind))
async def test_enum_keeps_its_value(
    desk: httpx2.AsyncClient, session: AsyncSession, owner: Actor, kind: ToolKind
) -> None:
    tool = await make_tool(session, owner, kind=kind)
    path = f"/admin/tools/edit/{tool.id}"
    values = form_values((await desk.get(path)).text)

    answer = await desk.post(path, data=values | {"description": "Other words."})

    assert answer.status_code == 303
    saved = await session.get(Tool, tool.id, populate_existing=True)
    assert saved is not None
    assert (saved.kind, saved.description) == (kind, "Other words.")
    assert saved.parameters == tool.parameters


async def test_stale_save_is_refused_and_keeps_what_was_typed(
    desk: httpx2.AsyncClient, session: AsyncSession, owner: Actor
) -> None:
    agent = await make_agent(session, owner)
    path = f"/admin/agents/edit/{agent.id}"
    values = form_values((await desk.get(path)).text)
    first = await desk.post(path, data=values | {"description": "Ada was first."})

    second = await desk.post(path, data=values | {"description": "Bob was late."})

    assert (first.status_code, second.status_code) == (303, 412)
    assert "Someone saved this agent in between" in second.text
    assert form_values(second.text)["description"] == "Bob was late."
    assert form_values(second.text)["row_version"] == values["row_version"]
    assert (await stored(session, agent)).description == "Ada was first."


async def test_stock_sqladmin_lets_the_later_save_win_silently(stock: Stock) -> None:
    note_id = stock.add(title="t", body="old")
    path = f"/admin/note/edit/{note_id}"
    values = {"title": "t", "data": "{}", "state": "draft", "save": "Save"}

    first = await stock.client.post(path, data=values | {"body": "Ada was first."})
    second = await stock.client.post(path, data=values | {"body": "Bob was late."})

    note = stock.get(note_id)
    assert note is not None
    assert (first.status_code, second.status_code) == (302, 302)
    assert note.body == "Bob was late."


async def test_save_without_the_version_is_refused(
    desk: httpx2.AsyncClient, session: AsyncSession, owner: Actor
) -> None:
    agent = await make_agent(session, owner)

    for version in ({}, {"row_version": ""}, {"row_version": "x"}, {"row_version": "9" * 30}):
        answer = await desk.post(f"/admin/agents/edit/{agent.id}", data=AGENT | version)
        assert answer.status_code == 400
    assert (await stored(session, agent)).name == agent.name


async def test_duplicate_name_is_said_without_sql(desk: httpx2.AsyncClient) -> None:
    await desk.post("/admin/agents/create", data=AGENT)

    answer = await desk.post("/admin/agents/create", data=AGENT | {"description": "Typed."})

    assert answer.status_code == 409
    assert any(
        "You already have an agent called support-bot." in t for t in texts(answer.text, ".error")
    )
    assert form_values(answer.text)["description"] == "Typed."
    for word in ("INSERT", "uq_agents", "asyncpg", "sqlalche"):
        assert word not in answer.text


async def test_stock_sqladmin_shows_the_statement_and_its_parameters(stock: Stock) -> None:
    stock.add(title="taken")
    values = {"title": "taken", "body": "b", "data": '"secret words"', "state": "draft"}

    answer = await stock.client.post("/admin/note/create", data=values)

    assert "INSERT INTO notes" in answer.text
    assert "secret words" in answer.text


@pytest.mark.parametrize(
    ("field", "value", "part"),
    [
        ("name", "x", "at least 3 characters"),
        ("name", "", "at least 3 characters"),
        ("name", "a\x00bc", "letters"),
        ("model_name", "", "at least 1"),
        ("max_tokens", "many", "integer"),
        ("max_tokens", "9" * 30, "less than or equal"),
        ("config", "{", "not valid JSON"),
        ("config", "[]", "dictionary"),
        ("config", "null", "dictionary"),
        ("config", '{"a": NaN}', "not JSON"),
        ("config", "[" * 100_000, "JSON"),
        ("description", "a\x00b", "NUL"),
        ("system_prompt", "p" * 600, "may have at most"),
        ("tool_ids", "999999", "no tools with the ids"),
        ("tool_ids", "x", "coerced"),
        ("tool_ids", "9" * 30, "less than or equal"),
    ],
)
async def test_what_the_schema_or_service_refuses_is_said_beside_the_field(
    desk: httpx2.AsyncClient, session: AsyncSession, field: str, value: str, part: str
) -> None:
    answer = await desk.post("/admin/agents/create", data=AGENT | {field: value})

    assert answer.status_code == 422
    [message] = texts(answer.text, ".error")
    assert part in message
    assert await session.scalar(select(Agent.id).limit(1)) is None
    assert form_values(answer.text)["model_name"] == (AGENT | {field: value})["model_name"]


async def test_unknown_enum_value_is_refused(desk: httpx2.AsyncClient) -> None:
    values = {"name": "a-tool", "kind": "rocket", "parameters": "{}"}

    answer = await desk.post("/admin/tools/create", data=values)

    assert answer.status_code == 422
    assert any("'function'" in text for text in texts(answer.text, ".error"))


async def test_files_are_refused(desk: httpx2.AsyncClient) -> None:
    answer = await desk.post("/admin/agents/create", data=AGENT, files={"config": b"{}"})

    assert answer.status_code == 400


async def test_tools_in_the_trash_cannot_be_given(
    desk: httpx2.AsyncClient, session: AsyncSession, owner: Actor
) -> None:
    tool = await make_tool(session, owner)
    await session.execute(
        update(Tool).where(Tool.id == tool.id).values(deleted_at=func.clock_timestamp())
    )

    page = await desk.get("/admin/agents/create")
    answer = await desk.post("/admin/agents/create", data=AGENT | {"tool_ids": str(tool.id)})

    assert tool.name not in page.text
    assert answer.status_code == 422


async def test_fields_that_are_not_in_the_form_are_ignored(
    desk: httpx2.AsyncClient, session: AsyncSession, owner: Actor
) -> None:
    agent = await make_agent(session, owner)
    path = f"/admin/agents/edit/{agent.id}"
    values = form_values((await desk.get(path)).text)

    answer = await desk.post(path, data=values | {"user_id": "1", "live_revision_id": "1"})

    assert answer.status_code == 303
    after = await stored(session, agent)
    assert (after.user_id, after.live_revision_id) == (agent.user_id, agent.live_revision_id)


async def test_nobody_raises_their_own_role(root: httpx2.AsyncClient, superuser: User) -> None:
    path = f"/admin/users/edit/{superuser.id}"
    values = form_values((await root.get(path)).text)

    answer = await root.post(path, data=values | {"role": Role.STAFF.value})

    assert answer.status_code == 403
    assert "You cannot change your own role" in answer.text


async def test_password_of_a_new_user_is_hashed_and_shown_nowhere(
    root: httpx2.AsyncClient, session: AsyncSession
) -> None:
    secret = "Correct-Horse-8"
    values = {"email": "new@example.com", "full_name": "New", "role": "member"}
    values |= {"password": secret, "confirm_password": secret}

    answer = await root.post("/admin/users/create", data=values)

    assert answer.status_code == 303
    user = await session.scalar(select(User).where(User.email == "new@example.com"))
    assert user is not None
    assert user.hashed_password is not None
    assert secret not in user.hashed_password
    event = await session.scalar(select(AuditEvent).order_by(AuditEvent.id.desc()))
    assert event is not None
    assert secret not in json.dumps(event.changes)
    page = (await root.get(answer.headers["location"])).text
    exported = (await root.get("/admin/users/export/csv")).text
    assert secret not in page
    assert user.hashed_password not in page + exported


async def test_refused_password_is_not_sent_back(root: httpx2.AsyncClient) -> None:
    values = {"email": "new@example.com", "full_name": "New", "role": "member"}

    answer = await root.post("/admin/users/create", data=values | {"password": "weakweak"})

    assert answer.status_code == 422
    assert "upper-case letter" in answer.text
    assert "weakweak" not in answer.text


async def test_duplicate_email_is_said_beside_the_field(
    root: httpx2.AsyncClient, session: AsyncSession
) -> None:
    await make_user(session, email="taken@example.com")
    values = {"email": "Taken@example.com", "full_name": "New", "role": "member"}

    answer = await root.post("/admin/users/create", data=values)

    assert answer.status_code == 409
    assert any("already a user with the e-mail" in text for text in texts(answer.text, ".error"))


async def test_answer_waits_for_the_commit(
    desk: httpx2.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, used = database.unit_of_work, []

    @asynccontextmanager
    async def failing_at_the_third_commit() -> AsyncIterator[AsyncSession]:
        used.append(1)  # the login and the form come first
        async with original() as session:
            yield session
            if len(used) == 3:
                raise Unavailable("The database went away.")

    monkeypatch.setattr(database, "unit_of_work", failing_at_the_third_commit)

    answer = await desk.post("/admin/agents/create", data=AGENT | {"description": "Typed."})

    assert answer.status_code == 503
    assert form_values(answer.text)["description"] == "Typed."


async def test_unexpected_fault_shows_the_request_id_and_nothing_else(
    desk: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("secret words")

    monkeypatch.setattr(AgentService, "create", fail)

    answer = await desk.post("/admin/agents/create", data=AGENT)

    assert answer.status_code == 500
    assert "secret words" not in answer.text
    assert answer.headers["x-correlation-id"] in answer.text
