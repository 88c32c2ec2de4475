"""Agents: read, written and trashed by their service; the internal notes are staff's own."""

from typing import Any, ClassVar

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import BooleanField, IntegerField, StringField, TextAreaField

from app.admin.actions import TrashView
from app.admin.base import Names, Row
from app.admin.fields import IdsField, JsonField
from app.admin.filters import YES_NO, Filter
from app.admin.forms import RowForm
from app.core.actor import Actor
from app.core.permissions import Permission
from app.core.texts import lazy
from app.models import Agent, AgentRevision, User
from app.schemas.agents import DEFAULT_MAX_TOKENS, AgentStaffCreate, AgentStaffUpdate
from app.services.agents import AgentService
from app.services.search import matches


class AgentForm(RowForm):
    name = StringField(
        lazy("Name"), description=lazy("Lower case, digits, - and _; unique per owner.")
    )
    description = TextAreaField(lazy("Description"))
    model_name = StringField(lazy("Model"))
    system_prompt = TextAreaField(lazy("System prompt"))
    max_tokens = IntegerField(lazy("Max tokens"), default=DEFAULT_MAX_TOKENS)
    config = JsonField(lazy("Config"), default={}, description="A JSON object.")
    tool_ids = IdsField(lazy("Tools"))
    is_active = BooleanField(
        lazy("Active"), default=True, description=lazy("Runtimes stop while it is off.")
    )
    internal_notes = TextAreaField(lazy("Internal notes"), description=lazy("Seen by staff only."))
    note = StringField(lazy("Why"), description=lazy("Kept with the revision."))


class AgentView(TrashView, model=Agent):
    name, name_plural, icon = lazy("Agent"), lazy("Agents"), "robot"
    about = lazy("Models with their prompts, limits, config and tools.")
    service = AgentService
    permissions: ClassVar[dict[str, Permission]] = {
        "list": Permission.AGENTS_READ,
        "details": Permission.AGENTS_READ,
        "export": Permission.AGENTS_READ,
        "create": Permission.AGENTS_WRITE,
        "edit": Permission.AGENTS_WRITE,
        "delete": Permission.AGENTS_DELETE,
        "action:trash": Permission.AGENTS_DELETE,
        "action:restore": Permission.AGENTS_DELETE,
    }
    columns = ("id", "name", "model_name", "user_id", "live_revision_id", "is_active", "updated_at")
    more_columns = (
        "description",
        "system_prompt",
        "max_tokens",
        "config",
        "tags",
        "internal_notes",
        "created_at",
        "row_version",
    )
    labels: ClassVar[dict[str, str]] = {"model_name": lazy("Model"), "user_id": lazy("Owner")}
    names: ClassVar[dict[str, Names]] = {
        "user_id": Names(User.email, Permission.USERS_READ),
        "live_revision_id": Names(AgentRevision.number, Permission.AGENTS_READ, "r"),
    }
    list_filters = (
        Filter("model_name", lazy("Model")),
        Filter("is_active", lazy("Active"), YES_NO),
        Filter("user_id", lazy("Owner id")),
    )
    search_hint = lazy("Words in the name or description")
    sorts = ("name", "created_at", "updated_at")
    default_sort = "name"
    page_path = "/agents"
    create_form = edit_form = AgentForm
    create_schema, update_schema = AgentStaffCreate, AgentStaffUpdate

    def search_rule(self, term: str) -> ColumnElement[bool]:
        return matches(Agent.search, term)

    async def fill_choices(
        self, session: AsyncSession, actor: Actor, form: RowForm, row: Row | None
    ) -> None:
        """The tools the agent can be given, and those it has, which must not get lost."""
        if row is not None:
            await session.refresh(row, ["tools", "user"])
        tools = await AgentService(session, actor).tool_choices(row)
        field: Any = form["tool_ids"]  # WTForms does not type its choices
        field.choices = [(tool.id, tool.name) for tool in tools]
        if row is not None and field.raw_data is None:
            field.data = [tool.id for tool in row.tools]
