"""The list of API keys: what it can be narrowed to, and what it can show."""

from app.core.texts import lazy
from app.models.api_keys import KeyState
from app.pages.filter_bar import Choices, Filter, Kind
from app.pages.list_table import Column
from app.services.agents import AgentService
from app.services.api_keys import ApiKeyService

COLUMNS = (
    Column("name", lazy("Name"), sort="name", is_fixed=True),
    Column("key", lazy("Key")),
    Column("state", lazy("State")),
    Column("owner", lazy("Owner"), is_default=False),
    Column("scopes", lazy("It may")),
    Column("agent", lazy("Agent"), is_default=False),
    Column("ranges", lazy("From"), is_default=False),
    Column("used", lazy("Last used")),
    Column("used_from", lazy("Last used from"), is_default=False),
    Column("created", lazy("Made"), sort="-created_at", is_default=False),
    Column("expires", lazy("Expires")),
    Column("id", lazy("Id"), is_number=True, is_default=False),
)
STATES = [
    (KeyState.ACTIVE.value, lazy("Active")),
    (KeyState.EXPIRING.value, lazy("Ends within a week")),
    (KeyState.PAUSED.value, lazy("Paused")),
    (KeyState.REPLACED.value, lazy("Replaced")),
    (KeyState.EXPIRED.value, lazy("Expired")),
    (KeyState.REVOKED.value, lazy("Revoked")),
]
UNUSED = [("30", lazy("30 days")), ("90", lazy("90 days")), ("365", lazy("1 year"))]


async def key_filters(keys: ApiKeyService, *, everyone: bool) -> list[Filter]:
    """``everyone``: the list of all keys, which can be narrowed to an owner's."""
    owners = await keys.owners() if everyone else []
    people = [(str(each.id), f"{each.full_name} ({each.email})") for each in owners]
    names = await AgentService(keys.session, keys.actor).names()
    found = filters_with([(str(agent_id), name) for agent_id, name in names], people)
    return found if everyone else found[1:]


def filters_with(agents: Choices, owners: Choices) -> list[Filter]:
    """The owner first."""
    return [
        Filter("user_id", lazy("owner"), Kind.ONE, owners),
        Filter("state", lazy("state"), Kind.ONE, STATES),
        Filter("unused_days", lazy("unused"), Kind.ONE, UNUSED, joiner=" for "),
        Filter("agent_id", lazy("agent"), Kind.ONE, agents),
    ]
