"""The list of agents: what it can be narrowed to, and what it can show."""

from app.core.texts import _, lazy
from app.pages.filter_bar import Choices, Filter, Kind
from app.pages.list_table import Column
from app.services.agents import AgentService
from app.services.owners import owners_in

COLUMNS = (
    Column("name", lazy("Agent"), sort="name", is_fixed=True),
    Column("state", lazy("State")),
    Column("live", lazy("Live")),
    Column("model", lazy("Model")),
    Column("max_tokens", lazy("Max tokens"), is_number=True, is_default=False),
    Column("tools", lazy("Tools"), is_number=True, is_wide=True),
    Column("day", lazy("Last 24 h")),
    Column("runs", lazy("Runs"), is_number=True),
    Column("failed", lazy("Failed"), is_number=True),
    Column("owner", lazy("Owner"), is_wide=True),
    Column("id", lazy("Id"), is_number=True, is_default=False),
    Column("created", lazy("Created"), sort="-created_at", is_default=False),
    Column("changed", lazy("Changed"), sort="-updated_at"),
)
STATES = [("true", lazy("Active")), ("false", lazy("Paused"))]
DRAFTS = [("true", lazy("Drafts only")), ("false", lazy("Without drafts"))]


async def agent_filters(agents: AgentService) -> list[Filter]:
    models = [(model, model) for model in await agents.models_in_use()]
    owners = [(str(user_id), name) for user_id, name in await owners_in(agents)]
    return filters_with(models, owners)


def filters_with(models: Choices, owners: Choices) -> list[Filter]:
    return [
        Filter("is_active", _("state"), Kind.ONE, STATES),
        Filter("model", _("model"), Kind.ONE, models),
        Filter("tag", _("tag"), Kind.TEXT),
        Filter("user_id", _("owner"), Kind.ONE, owners),
        Filter("is_draft", _("drafts"), Kind.ONE, DRAFTS),
        Filter("name", _("exact name"), Kind.TEXT, is_minor=True),
    ]
