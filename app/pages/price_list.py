"""The list of model prices: what it can be narrowed to, and what it can show."""

from app.core.texts import lazy
from app.pages.filter_bar import Filter, Kind
from app.pages.list_table import Column

COLUMNS = (
    Column("model", lazy("Model"), sort="model_pattern", is_fixed=True),
    Column("provider", lazy("Provider")),
    Column("input", lazy("Input"), is_number=True),
    Column("output", lazy("Output"), is_number=True),
    Column("cache_read", lazy("Cache read"), is_number=True),
    Column("cache_write", lazy("Cache write"), is_number=True, is_default=False),
    Column("holds", lazy("Holds")),
    Column("id", lazy("Id"), is_number=True, is_default=False),
    Column("created", lazy("Entered"), sort="-created_at", is_default=False),
    Column("changed", lazy("Changed"), sort="-updated_at"),
)
FREE = [("true", lazy("Free")), ("false", lazy("Not free"))]
FILTERS = (
    Filter("provider", lazy("provider"), Kind.TEXT),
    Filter("is_free", lazy("price"), Kind.ONE, FREE),
    Filter("model", lazy("exact pattern"), Kind.TEXT, is_minor=True),
)
