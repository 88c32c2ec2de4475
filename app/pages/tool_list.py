"""The list of tools: what it can be narrowed to, and what it can show."""

from app.core.texts import _, lazy
from app.models.tools import ToolKind
from app.pages.filter_bar import Choices, Filter, Kind
from app.pages.list_table import Column
from app.services.owners import owners_in
from app.services.tools import ToolService

COLUMNS = (
    Column("name", lazy("Tool"), sort="name", is_fixed=True),
    Column("kind", lazy("Kind")),
    Column("state", lazy("State")),
    Column("arguments", lazy("Arguments")),
    Column("endpoint", lazy("Endpoint"), is_default=False),
    Column("owner", lazy("Owner"), is_default=False),
    Column("id", lazy("Id"), is_number=True, is_default=False),
    Column("created", lazy("Created"), sort="-created_at", is_default=False),
    Column("changed", lazy("Changed"), sort="-updated_at"),
)
KIND_NAMES = {
    ToolKind.FUNCTION.value: lazy("Function"),
    ToolKind.HTTP.value: "HTTP",
    ToolKind.MCP.value: "MCP",
}
KINDS = list(KIND_NAMES.items())
STATES = [("true", lazy("Active")), ("false", lazy("Paused"))]


async def tool_filters(tools: ToolService) -> list[Filter]:
    return filters_with([(str(user_id), name) for user_id, name in await owners_in(tools)])


def filters_with(owners: Choices) -> list[Filter]:
    return [
        Filter("kind", _("kind"), Kind.ONE, KINDS),
        Filter("is_active", _("state"), Kind.ONE, STATES),
        Filter("user_id", _("owner"), Kind.ONE, owners),
        Filter("name", _("exact name"), Kind.TEXT, is_minor=True),
    ]
