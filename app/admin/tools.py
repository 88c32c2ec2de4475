"""Tools: a change of one makes a new revision of every agent that uses it."""

from typing import ClassVar

from sqlalchemy import ColumnElement
from wtforms import BooleanField, StringField, TextAreaField

from app.admin.actions import TrashView
from app.admin.base import Names
from app.admin.fields import EnumField, JsonField
from app.admin.filters import YES_NO, Filter, choices_of
from app.admin.forms import RowForm
from app.core.permissions import Permission
from app.core.texts import lazy
from app.models import Tool, User
from app.models.tools import ToolKind
from app.schemas.tools import EMPTY_SCHEMA, ToolCreate, ToolUpdate
from app.services.search import matches
from app.services.tools import ToolService


class ToolForm(RowForm):
    name = StringField(
        lazy("Name"), description=lazy("Lower case, digits, - and _; unique per owner.")
    )
    description = TextAreaField(
        lazy("Description"), description=lazy("What the model reads to choose it.")
    )
    kind = EnumField(lazy("Kind"), ToolKind, default=ToolKind.FUNCTION)
    parameters = JsonField(
        lazy("Parameters"), default=EMPTY_SCHEMA, description="A JSON Schema 2020-12."
    )
    is_active = BooleanField(lazy("Active"), default=True)


class ToolView(TrashView, model=Tool):
    name, name_plural, icon = lazy("Tool"), lazy("Tools"), "tool"
    about = lazy("What agents can call, with the JSON Schema of the arguments.")
    service = ToolService
    permissions: ClassVar[dict[str, Permission]] = {
        "list": Permission.TOOLS_READ,
        "details": Permission.TOOLS_READ,
        "export": Permission.TOOLS_READ,
        "create": Permission.TOOLS_WRITE,
        "edit": Permission.TOOLS_WRITE,
        "delete": Permission.TOOLS_DELETE,
        "action:trash": Permission.TOOLS_DELETE,
        "action:restore": Permission.TOOLS_DELETE,
    }
    columns = ("id", "name", "kind", "user_id", "is_active", "updated_at")
    more_columns = ("description", "parameters", "created_at", "row_version")
    labels: ClassVar[dict[str, str]] = {"user_id": lazy("Owner")}
    names: ClassVar[dict[str, Names]] = {"user_id": Names(User.email, Permission.USERS_READ)}
    list_filters = (
        Filter("kind", lazy("Kind"), choices_of(ToolKind)),
        Filter("is_active", lazy("Active"), YES_NO),
        Filter("user_id", lazy("Owner id")),
    )
    search_hint = lazy("Words in the name or description")
    sorts = ("name", "created_at", "updated_at")
    default_sort = "name"
    page_path = "/tools"
    create_form = edit_form = ToolForm
    create_schema, update_schema = ToolCreate, ToolUpdate

    def search_rule(self, term: str) -> ColumnElement[bool]:
        return matches(Tool.search, term)
