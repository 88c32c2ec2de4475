"""What a list can be narrowed and sorted by is what an index can answer."""

from typing import Any

import pytest
from sqlalchemy import Index, UniqueConstraint

from app.models import AuditEvent, Execution, Feedback, ListName
from app.schemas.audit_events import AuditQuery
from app.schemas.lists import LISTS
from app.services.agents import AgentService
from app.services.api_keys import ApiKeyService
from app.services.base import BaseService
from app.services.bulk_changes import BulkChangeService
from app.services.executions import ExecutionService
from app.services.ingest_batches import IngestBatchService
from app.services.jobs import JobService
from app.services.model_prices import ModelPriceService
from app.services.saved_views import SavedViewService
from app.services.tools import ToolService
from app.services.users import UserService
from app.services.webhook_endpoints import WebhookEndpointService

# Two values or three: an index on them alone would not be used.
FEW_VALUES = {"is_active", "is_draft", "is_free", "kind", "role", "resource", "action"}
# Which column answers, for filters of runs that are called otherwise; words have a table of theirs.
RUN_COLUMNS = {
    "model": "model_name",
    "tag": "tags",
    "since": "started_at",
    "until": "started_at",
    "range": "started_at",
    "agent": "agent_id",
    "revision": "agent_revision_id",
    "min_cost": "cost",
    "min_latency_ms": "latency_ms",
    "has_errors": "error_count",
    "has_feedback": "id",
}
AUDIT_FILTERS = tuple(set(AuditQuery.model_fields) - {"cursor", "limit", "since", "until"})


def leading_columns(model: Any) -> set[str]:  # a mapped class
    table = model.__table__
    found = {
        next(iter(rule.columns)).name
        for rule in (*table.indexes, *table.constraints)
        if isinstance(rule, Index | UniqueConstraint) and len(rule.columns)
    }
    # A BRIN index answers for each of its columns.
    ranges = [rule for rule in table.indexes if rule.dialect_kwargs["postgresql_using"] == "brin"]
    found |= {column.name for rule in ranges for column in rule.columns}
    keys = {column.name for column in table.primary_key}
    return found | keys | {c.name for c in table.columns if c.unique or c.index}


@pytest.mark.parametrize(
    "service",
    [
        AgentService,
        ToolService,
        ExecutionService,
        JobService,
        ModelPriceService,
        IngestBatchService,
        ApiKeyService,
        UserService,
        WebhookEndpointService,
        SavedViewService,
        BulkChangeService,
    ],
    ids=lambda s: s.resource,
)
def test_every_sort_and_filter_has_an_index(service: type[BaseService[Any, Any, Any]]) -> None:
    offered = {*service.sorts, *service.filters} - FEW_VALUES
    assert offered <= leading_columns(service.model)


def test_agents_are_found_by_their_tags() -> None:
    assert "tags" in leading_columns(AgentService.model)


def test_every_filter_of_runs_has_an_index() -> None:
    offered = set(LISTS[ListName.EXECUTIONS].filters) - {"q"}
    assert {RUN_COLUMNS.get(name, name) for name in offered} <= leading_columns(Execution)
    assert "execution_id" in leading_columns(Feedback)


@pytest.mark.parametrize("service", [AgentService, ToolService], ids=lambda s: s.resource)
def test_every_filter_and_sort_of_a_page_is_one_of_the_service(
    service: type[BaseService[Any, Any, Any]],
) -> None:
    page = LISTS[ListName(service.resource)]
    assert set(page.filters.values()) - {"q", "tag"} <= set(service.filters)
    assert set(page.sorts) <= set(service.sorts)
    assert page.default_sort == service.default_sort


def test_every_filter_of_the_audit_log_has_an_index() -> None:
    assert {"at", *AUDIT_FILTERS} - {"resource_id"} <= leading_columns(AuditEvent)
