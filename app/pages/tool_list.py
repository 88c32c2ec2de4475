"""The list of tools: what it can be narrowed to, and what it can show."""

from app.models.tools import ToolKind
from app.pages.filter_bar import Choices, Filter, Kind
from app.pages.list_table import Column
from app.services.owners import owners_in
from app.services.tools import ToolService

COLUMNS = (
    Column("name", "Tool", sort="name", is_fixed=True),
    Column("kind", "Kind"),
    Column("state", "State"),
    Column("arguments", "Arguments"),
    Column("endpoint", "Endpoint", is_default=False),
    Column("owner", "Owner", is_default=False),
    Column("id", "Id", is_number=True, is_default=False),
    Column("created", "Created", sort="-created_at", is_default=False),
    Column("changed", "Changed", sort="-updated_at"),
)
KIND_NAMES = {
    ToolKind.FUNCTION.value: "Function",
    ToolKind.HTTP.value: "HTTP",
    ToolKind.MCP.value: "MCP",
}
KINDS = list(KIND_NAMES.items())
STATES = [("true", "Active"), ("false", "Paused")]


async def tool_filters(tools: ToolService) -> list[Filter]:
    return filters_with([(str(user_id), name) for user_id, name in await owners_in(tools)])


def filters_with(owners: Choices) -> list[Filter]:
    return [
        Filter("kind", "kind", Kind.ONE, KINDS),
        Filter("is_active", "state", Kind.ONE, STATES),
        Filter("user_id", "owner", Kind.ONE, owners),
        Filter("name", "exact name", Kind.TEXT, is_minor=True),
    ]
