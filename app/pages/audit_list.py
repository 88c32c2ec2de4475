"""The audit log as a list: what it can be narrowed to, and what it can show."""

from app.core.actor import Via
from app.core.texts import lazy
from app.pages.audit_view import NOUNS, VERBS
from app.pages.filter_bar import RANGES, Filter, Kind
from app.pages.list_table import Column

COLUMNS = (
    Column("when", lazy("When"), sort="-at", is_fixed=True),
    Column("who", lazy("Who")),
    Column("what", lazy("What")),
    Column("changes", lazy("Changes")),
    Column("door", lazy("Door"), is_wide=True),
    Column("request", lazy("Request"), is_default=False),
    Column("id", lazy("Event"), is_number=True, is_default=False),
)
ACTIONS = [(action, action.replace("_", " ")) for action in sorted(VERBS)]
RESOURCES = list(NOUNS.items())
DOORS = [(via.value, via.value) for via in Via]
BATCHES = [("shown", lazy("Shown too"))]
FILTERS = (
    Filter("resource", lazy("resource"), Kind.ONE, RESOURCES),
    Filter("action", lazy("action"), Kind.ONE, ACTIONS),
    Filter("via", lazy("door"), Kind.ONE, DOORS),
    Filter("range", lazy("time"), Kind.TIME, RANGES, others=("since", "until")),
    Filter("batches", lazy("batches of machines"), Kind.ONE, BATCHES),
    # Those that links in the rows set, and few people type.
    Filter("resource_id", lazy("row"), Kind.NUMBER, joiner=" ", is_minor=True),
    Filter("actor_user_id", lazy("person"), Kind.NUMBER, joiner=" ", is_minor=True),
    Filter("actor_api_key_id", lazy("key"), Kind.NUMBER, joiner=" ", is_minor=True),
    Filter("request_id", lazy("request"), Kind.TEXT, joiner=" ", is_minor=True),
    Filter("ip", lazy("address"), Kind.TEXT, joiner=" ", is_minor=True),
)
