"""The list of bulk changes: what it can be narrowed to, and what it can show."""

from app.core.texts import lazy
from app.pages.bulk_view import ACTIONS, LIST_NAMES
from app.pages.filter_bar import Choices, Filter, Kind
from app.pages.list_table import Column
from app.services.bulk_actions import SERVICES
from app.services.bulk_changes import BulkChangeService
from app.services.owners import owners_in

COLUMNS = (
    Column("change", lazy("Change"), is_fixed=True),
    Column("status", lazy("Status")),
    Column("changed", lazy("Changed"), is_number=True),
    Column("refused", lazy("Refused"), is_number=True),
    Column("by", lazy("Asked for by")),
    Column("why", lazy("Why"), is_wide=True),
    Column("job", lazy("Job"), is_number=True, is_default=False),
    Column("asked", lazy("When"), sort="-created_at"),
)
DOINGS = [(action.value, words.short) for action, words in ACTIONS.items()]
ROWS = [(resource.value, name) for resource, name in LIST_NAMES.items()]


async def bulk_filters(changes: BulkChangeService) -> list[Filter]:
    people = [(str(user_id), name) for user_id, name in await owners_in(changes)]
    readable = {name for name, kind in SERVICES.items() if changes.actor.may(kind.readable)}
    return filters_with([row for row in ROWS if row[0] in readable], people)


def filters_with(rows: Choices, people: Choices) -> list[Filter]:
    return [
        Filter("resource", lazy("rows"), Kind.ONE, rows),
        Filter("action", lazy("action"), Kind.ONE, DOINGS),
        Filter("user_id", lazy("asked for by"), Kind.ONE, people, joiner=" "),
    ]
