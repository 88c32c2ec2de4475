"""Lists as a URL or a saved view describes them: by filters, a sort and columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from app.models.saved_views import ListName
from app.schemas.agents import AgentQuery
from app.schemas.api_keys import ApiKeyPageQuery
from app.schemas.audit_events import AuditPageQuery
from app.schemas.bulk_changes import BulkChangeQuery
from app.schemas.days import InTime
from app.schemas.executions import ExecutionQuery
from app.schemas.jobs import JobPageQuery
from app.schemas.model_prices import ModelPriceQuery
from app.schemas.tools import ToolQuery
from app.schemas.users import UserQuery
from app.schemas.webhook_deliveries import WebhookDeliveryQuery
from app.schemas.webhook_endpoints import WebhookEndpointQuery

# Where one is in a list, not what the list is.
PLACES = frozenset({"cursor", "limit", "page", "page_size", "skip", "ids", "sort"})


class ExecutionPageQuery(InTime, ExecutionQuery):
    """Of the page, which knows ranges up to now, and days."""


@dataclass(frozen=True, slots=True)
class ListSchema:
    """What a list can be asked for."""

    query: type[BaseModel]
    sorts: tuple[str, ...]
    default_sort: str
    columns: tuple[str, ...]
    # Where its page is.
    path: str
    # Filters that say which of several lists it is: taking filters off leaves them.
    kept: frozenset[str] = frozenset()

    @property
    def filters(self) -> dict[str, str]:
        """Fields of the query by the names that a URL has for them."""
        fields = self.query.model_fields
        return {field.alias or name: name for name, field in fields.items() if name not in PLACES}

    def takes_many(self, parameter: str) -> bool:
        field = self.query.model_fields[self.filters[parameter]]
        return field.default_factory is list

    def sort(self, text: str | None) -> str:
        """``text`` where the list can be sorted by it; empty for the usual order."""
        known = text is not None and text.removeprefix("-") in self.sorts
        return text if known and text is not None and text != self.default_sort else ""

    def parse(self, given: Mapping[str, list[str]]) -> BaseModel:
        """Raise ``ValidationError``."""
        values: dict[str, Any] = {
            name: texts if self.takes_many(name) else texts[-1]
            for name, texts in given.items()
            if texts and name in self.filters
        }
        return self.query.model_validate(values)

    def valid(self, given: Mapping[str, list[str]]) -> dict[str, list[str]]:
        """The filters among these that are any, each in one way of writing; links never break."""
        texts = {name: self.split(name, each) for name, each in given.items()}
        kept = {name: each for name, each in texts.items() if name in self.filters and any(each)}
        try:
            self.parse(kept)
        except ValidationError as error:
            kept = self._without(kept, error)
        return kept

    def split(self, name: str, texts: list[str]) -> list[str]:
        if name not in self.filters:
            return texts
        if not self.takes_many(name):
            return texts[-1:]
        return list(dict.fromkeys(part for text in texts for part in text.split(",") if part))

    def _without(self, given: dict[str, list[str]], error: ValidationError) -> dict[str, list[str]]:
        by_field = {field: name for name, field in self.filters.items()}
        kept = {name: list(texts) for name, texts in given.items()}
        for problem in error.errors(include_url=False):
            place = problem["loc"]
            name = by_field.get(str(place[0]), str(place[0])) if place else ""
            if name in kept and len(place) > 1 and isinstance(place[1], int):
                kept[name].remove(given[name][place[1]])
            elif name in kept:
                del kept[name]
        return {name: texts for name, texts in kept.items() if texts}


LISTS: Mapping[ListName, ListSchema] = {
    ListName.EXECUTIONS: ListSchema(
        ExecutionPageQuery,
        ("started_at",),
        "-started_at",
        (
            "started",
            "agent",
            "status",
            "input",
            "model",
            "steps",
            "tokens",
            "cost",
            "latency",
            "owner",
            "tags",
            "session",
            "source",
            "input_tokens",
            "output_tokens",
            "cached_tokens",
            "external_id",
            "trace_id",
            "error_type",
            "ended",
        ),
        "/executions",
    ),
    ListName.AGENTS: ListSchema(
        AgentQuery,
        ("name", "updated_at", "created_at"),
        "name",
        (
            "name",
            "state",
            "live",
            "model",
            "tools",
            "day",
            "runs",
            "failed",
            "owner",
            "changed",
            "created",
            "max_tokens",
            "id",
        ),
        "/agents",
    ),
    ListName.TOOLS: ListSchema(
        ToolQuery,
        ("name", "updated_at", "created_at"),
        "name",
        ("name", "kind", "state", "arguments", "changed", "owner", "endpoint", "created", "id"),
        "/tools",
    ),
    ListName.USERS: ListSchema(
        UserQuery,
        ("full_name", "created_at"),
        "full_name",
        (
            "person",
            "role",
            "state",
            "second_factor",
            "last_login",
            "since",
            "time_zone",
            "language",
            "id",
        ),
        "/users",
    ),
    ListName.API_KEYS: ListSchema(
        ApiKeyPageQuery,
        ("name", "created_at"),
        "-created_at",
        (
            "name",
            "key",
            "state",
            "owner",
            "scopes",
            "agent",
            "ranges",
            "used",
            "used_from",
            "created",
            "expires",
            "id",
        ),
        "/keys",
        kept=frozenset({"everyone"}),
    ),
    ListName.JOBS: ListSchema(
        JobPageQuery,
        ("created_at",),
        "-created_at",
        ("job", "status", "progress", "about", "by", "tries", "asked", "begun", "ended"),
        "/jobs",
    ),
    ListName.AUDIT_EVENTS: ListSchema(
        AuditPageQuery,
        ("at",),
        "-at",
        ("when", "who", "what", "changes", "door", "request", "id"),
        "/audit",
    ),
    ListName.WEBHOOK_ENDPOINTS: ListSchema(
        WebhookEndpointQuery,
        ("created_at",),
        "-created_at",
        ("endpoint", "state", "events", "last", "by", "created", "id"),
        "/webhooks",
    ),
    ListName.MODEL_PRICES: ListSchema(
        ModelPriceQuery,
        ("model_pattern", "created_at", "updated_at"),
        "model_pattern",
        (
            "model",
            "provider",
            "input",
            "output",
            "cache_read",
            "cache_write",
            "holds",
            "created",
            "changed",
            "id",
        ),
        "/model-prices",
    ),
    ListName.BULK_CHANGES: ListSchema(
        BulkChangeQuery,
        ("created_at",),
        "-created_at",
        ("change", "status", "changed", "refused", "by", "why", "asked", "job"),
        "/bulk-changes",
    ),
}
# The messages of one endpoint: a list within its page, of which no views are kept.
DELIVERIES = ListSchema(
    WebhookDeliveryQuery,
    ("created_at",),
    "-created_at",
    (),
    "/webhooks",
)
