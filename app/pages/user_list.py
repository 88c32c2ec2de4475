"""The list of people: what it can be narrowed to, and what it can show."""

from app.core.permissions import Role
from app.core.texts import lazy
from app.core.wording import lazy_words
from app.pages.filter_bar import Filter, Kind
from app.pages.list_table import Column

COLUMNS = (
    Column("person", lazy("Person"), sort="full_name", is_fixed=True),
    Column("role", lazy("Role")),
    Column("state", lazy("State")),
    Column("second_factor", lazy("Second factor")),
    Column("last_login", lazy("Last login")),
    Column("time_zone", lazy("Time zone"), is_default=False),
    Column("language", lazy("Language"), is_default=False),
    Column("id", lazy("Id"), is_number=True, is_default=False),
    Column("since", lazy("Since"), sort="-created_at"),
)
ROLES = [(role.value, lazy_words(role.value)) for role in Role]
STATES = [("true", lazy("Enabled")), ("false", lazy("Disabled"))]
YES = [("true", lazy("On")), ("false", lazy("Off"))]
FILTERS = (
    Filter("role", lazy("role"), Kind.ONE, ROLES),
    Filter("is_active", lazy("state"), Kind.ONE, STATES),
    Filter("has_second_factor", lazy("second factor"), Kind.ONE, YES),
)
