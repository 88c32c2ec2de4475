"""The list of agents: what it can be narrowed to, and what it can show."""

from app.pages.filter_bar import Choices, Filter, Kind
from app.pages.list_table import Column
from app.services.agents import AgentService
from app.services.owners import owners_in

COLUMNS = (
    Column("name", "Agent", sort="name", is_fixed=True),
    Column("state", "State"),
    Column("live", "Live"),
    Column("model", "Model"),
    Column("max_tokens", "Max tokens", is_number=True, is_default=False),
    Column("tools", "Tools", is_wide=True),
    Column("day", "Last 24 h"),
    Column("runs", "Runs", is_number=True),
    Column("failed", "Failed", is_number=True),
    Column("owner", "Owner", is_wide=True),
    Column("id", "Id", is_number=True, is_default=False),
    Column("created", "Created", sort="-created_at", is_default=False),
    Column("changed", "Changed", sort="-updated_at"),
)
STATES = [("true", "Active"), ("false", "Paused")]
DRAFTS = [("true", "Drafts only"), ("false", "Without drafts")]


async def agent_filters(agents: AgentService) -> list[Filter]:
    models = [(model, model) for model in await agents.models_in_use()]
    owners = [(str(user_id), name) for user_id, name in await owners_in(agents)]
    return filters_with(models, owners)


def filters_with(models: Choices, owners: Choices) -> list[Filter]:
    return [
        Filter("is_active", "state", Kind.ONE, STATES),
        Filter("model", "model", Kind.ONE, models),
        Filter("tag", "tag", Kind.TEXT),
        Filter("user_id", "owner", Kind.ONE, owners),
        Filter("is_draft", "drafts", Kind.ONE, DRAFTS),
        Filter("name", "exact name", Kind.TEXT, is_minor=True),
    ]
