"""Lists as a URL or a saved view describes them: by filters, a sort and columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ValidationError, model_validator

from app.models.saved_views import ListName
from app.schemas.agents import AgentQuery
from app.schemas.base import Moment, blank_to_none
from app.schemas.days import end_of_day, start_of_day
from app.schemas.executions import ExecutionQuery
from app.schemas.tools import ToolQuery

# Where one is in a list, not what the list is.
PLACES = frozenset({"cursor", "limit", "page", "page_size", "skip", "ids", "sort"})


class TimeRange(StrEnum):
    """Up to now; a link or a view keeps its meaning."""

    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"


SPANS: Mapping[TimeRange, timedelta] = {
    TimeRange.HOUR: timedelta(hours=1),
    TimeRange.DAY: timedelta(hours=24),
    TimeRange.WEEK: timedelta(days=7),
    TimeRange.MONTH: timedelta(days=30),
}


class ExecutionPageQuery(ExecutionQuery):
    """Of the page, which knows ranges up to now, and days."""

    range: Annotated[TimeRange | None, BeforeValidator(blank_to_none)] = None
    since: Annotated[Moment | None, BeforeValidator(start_of_day)] = None
    until: Annotated[Moment | None, BeforeValidator(end_of_day)] = None

    @model_validator(mode="after")
    def _range_up_to_now(self) -> "ExecutionPageQuery":
        if self.range is not None and self.since is None:
            self.since = datetime.now(UTC) - SPANS[self.range]
        return self


@dataclass(frozen=True, slots=True)
class ListSchema:
    """What a list can be asked for."""

    query: type[BaseModel]
    sorts: tuple[str, ...]
    default_sort: str
    columns: tuple[str, ...]

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
    ),
    ListName.TOOLS: ListSchema(
        ToolQuery,
        ("name", "updated_at", "created_at"),
        "name",
        ("name", "kind", "state", "arguments", "changed", "owner", "endpoint", "created", "id"),
    ),
}
