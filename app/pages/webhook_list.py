"""The lists of webhooks and of their messages: what they can be narrowed to, and can show."""

from app.core.texts import lazy
from app.core.wording import lazy_words
from app.models import DeliveryStatus, WebhookEvent
from app.pages.filter_bar import Filter, Kind
from app.pages.list_table import Column

COLUMNS = (
    Column("endpoint", lazy("Endpoint"), is_fixed=True),
    Column("state", lazy("State")),
    Column("events", lazy("Told of")),
    Column("last", lazy("Last message")),
    Column("by", lazy("Made by")),
    Column("created", lazy("Made"), sort="-created_at", is_default=False),
    Column("id", lazy("Id"), is_number=True, is_default=False),
)
STATES = [("true", lazy("Enabled")), ("false", lazy("Disabled"))]
EVENTS = [(event.value, event.value) for event in WebhookEvent]
STATUSES = [(status.value, lazy_words(status.value)) for status in DeliveryStatus]
FILTERS = (
    Filter("is_active", lazy("state"), Kind.ONE, STATES),
    Filter("event", lazy("told of"), Kind.ONE, EVENTS, joiner=" "),
)
DELIVERY_FILTERS = (Filter("status", lazy("status"), Kind.ONE, STATUSES),)
