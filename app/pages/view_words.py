"""What a saved view holds, in the words that the chips of its list have."""

from collections.abc import Sequence

from app.core.permissions import Permission
from app.models import ListName, SavedView
from app.pages import (
    agent_list,
    audit_list,
    bulk_list,
    execution_list,
    job_list,
    key_list,
    price_list,
    tool_list,
    user_list,
    webhook_list,
)
from app.pages.filter_bar import Choices, Filter, Kind, text_of
from app.services.agents import AgentService
from app.services.saved_views import SavedViewService

# Filters that need nothing of the database.
FIXED = {
    ListName.USERS: user_list.FILTERS,
    ListName.AUDIT_EVENTS: audit_list.FILTERS,
    ListName.WEBHOOK_ENDPOINTS: webhook_list.FILTERS,
    ListName.MODEL_PRICES: price_list.FILTERS,
}


async def words_of(service: SavedViewService, views: Sequence[SavedView]) -> list[list[str]]:
    """The filters of each, with the names of the agents that one may see; two queries at most."""
    ids = {int(text) for view in views for text in view.filters.get("agent_id", [])}
    agents: Choices = []
    if ids and service.actor.may(Permission.AGENTS_READ):
        found = await AgentService(service.session, service.actor).names(1, ids=sorted(ids))
        agents = [(str(agent_id), name) for agent_id, name in found]
    owners = {str(view.user_id): view.user.full_name for view in views}
    return [
        said_by(view, filters_of(view.resource, agents, list(owners.items()))) for view in views
    ]


def filters_of(name: ListName, agents: Choices, owners: Choices) -> Sequence[Filter]:
    match name:
        case ListName.AGENTS:
            return agent_list.filters_with([], owners)
        case ListName.TOOLS:
            return tool_list.filters_with(owners)
        case ListName.EXECUTIONS:
            of_agents = Filter("agent_id", "agent", Kind.MANY, agents, ("agent",))
            return execution_list.filters_with(of_agents, [])
        case ListName.API_KEYS:
            return key_list.filters_with(agents, owners)
        case ListName.JOBS:
            return job_list.filters_with(agents, owners)
        case ListName.BULK_CHANGES:
            return bulk_list.filters_with(bulk_list.ROWS, owners)
        case _:
            return FIXED[name]


def said_by(view: SavedView, filters: Sequence[Filter]) -> list[str]:
    said, known = [], set()
    for each in filters:
        values = {name: view.filters[name] for name in each.names if name in view.filters}
        known |= set(values)
        said += [text_of(each, values)] if values else []
    others = [name for name in view.filters if name not in known]
    return said + [f"{n.replace('_', ' ')}: {', '.join(view.filters[n])}" for n in others]
