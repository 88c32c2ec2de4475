"""Lists are what their URL says, and every link to one opens."""

from contextvars import copy_context
from datetime import UTC, datetime

import pytest

from app.core.zones import show_in
from app.models import ListName
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
from app.pages.filter_bar import Filter, Kind, chip_of
from app.pages.list_state import ListState
from app.pages.list_table import Column
from app.schemas.lists import LISTS, ExecutionPageQuery

RUNS = LISTS[ListName.EXECUTIONS]
COLUMNS = {
    ListName.EXECUTIONS: execution_list.COLUMNS,
    ListName.AGENTS: agent_list.COLUMNS,
    ListName.TOOLS: tool_list.COLUMNS,
    ListName.USERS: user_list.COLUMNS,
    ListName.API_KEYS: key_list.COLUMNS,
    ListName.JOBS: job_list.COLUMNS,
    ListName.AUDIT_EVENTS: audit_list.COLUMNS,
    ListName.WEBHOOK_ENDPOINTS: webhook_list.COLUMNS,
    ListName.MODEL_PRICES: price_list.COLUMNS,
    ListName.BULK_CHANGES: bulk_list.COLUMNS,
}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"status": ["failed,stalled", "failed"]}, {"status": ["failed", "stalled"]}),
        ({"status": ["failed", "nonsense"], "nope": ["1"]}, {"status": ["failed"]}),
        ({"status": ["nonsense"], "model": ["a", "b"]}, {"model": ["b"]}),
        ({"q": [""], "min_cost": ["much"], "range": ["24h"]}, {"range": ["24h"]}),
        ({"since": ["2026-01-31"], "until": ["2026-02-30"]}, {"since": ["2026-01-31"]}),
        ({"cursor": ["x"], "limit": ["9"], "sort": ["started_at"]}, {}),
    ],
)
def test_what_is_no_filter_is_left_out(
    given: dict[str, list[str]], kept: dict[str, list[str]]
) -> None:
    assert RUNS.valid(given) == kept


def test_days_are_whole_and_ranges_end_now() -> None:
    days = RUNS.parse({"since": ["2026-01-31"], "until": ["2026-01-31"]})
    assert isinstance(days, ExecutionPageQuery)
    assert days.since is not None
    assert days.until is not None
    assert (days.until - days.since).total_seconds() == 24 * 3600
    recent = RUNS.parse({"range": ["1h"]})
    assert isinstance(recent, ExecutionPageQuery)
    assert recent.since is not None


@pytest.mark.parametrize("name", ListName)
def test_each_column_is_known_and_sorts_by_what_the_list_sorts_by(name: ListName) -> None:
    columns: tuple[Column, ...] = COLUMNS[name]
    assert {column.key for column in columns} == set(LISTS[name].columns)
    assert {c.sort.removeprefix("-") for c in columns if c.sort} == set(LISTS[name].sorts)


def test_days_are_those_of_whoever_looks() -> None:
    def asked() -> ExecutionPageQuery:
        return ExecutionPageQuery.model_validate({"since": "2026-11-01", "until": "2026-11-01"})

    in_utc = asked()
    assert (in_utc.since, in_utc.until) == (
        datetime(2026, 11, 1, tzinfo=UTC),
        datetime(2026, 11, 2, tzinfo=UTC),
    )
    context = copy_context()
    context.run(show_in, "America/New_York")
    there = context.run(asked)
    assert (there.since, there.until) == (
        datetime(2026, 11, 1, 4, tzinfo=UTC),
        datetime(2026, 11, 2, 5, tzinfo=UTC),
    ), "clocks went back that night: the day has 25 hours"


def test_day_field_of_a_moment_is_the_day_of_whoever_looks() -> None:
    def days(since: str, until: str) -> tuple[str, str]:
        filters = {"since": [since], "until": [until]}
        state = ListState(ListName.EXECUTIONS, RUNS, "/executions", filters)
        chip = chip_of(state, Filter("range", "time", Kind.TIME, others=("since", "until")))
        return chip.day("since"), chip.day("until")

    context = copy_context()
    context.run(show_in, "Asia/Tokyo")
    # To the end of a day there: the moment after it is not part of it.
    shown = context.run(days, "2026-10-31T20:00:00+00:00", "2026-11-02T15:00:00+00:00")
    assert shown == ("2026-11-01", "2026-11-02")
    assert context.run(days, "2026-10-31", "nonsense, long") == ("2026-10-31", "")
