"""What a list can be narrowed and sorted by is what an index can answer."""

from typing import Any

import pytest
from sqlalchemy import Index, UniqueConstraint

from app.models import AuditEvent, Execution
from app.schemas.audit_events import AuditQuery
from app.services.agents import AgentService
from app.services.api_keys import ApiKeyService
from app.services.base import BaseService
from app.services.executions import ExecutionService
from app.services.ingest_batches import IngestBatchService
from app.services.jobs import JobService
from app.services.model_prices import ModelPriceService
from app.services.tools import ToolService
from app.services.users import UserService
from app.services.webhook_endpoints import WebhookEndpointService

# Two values or three: an index on them alone would not be used.
FEW_VALUES = {"is_active", "is_draft", "kind", "role"}
RUN_FILTERS = (
    "agent_id",
    "status",
    "model_name",
    "source",
    "session_id",
    "external_id",
    "tags",
    "started_at",
)
AUDIT_FILTERS = tuple(set(AuditQuery.model_fields) - {"cursor", "limit", "since", "until"})


def leading_columns(model: Any) -> set[str]:  # a mapped class
    table = model.__table__
    found = {
        next(iter(rule.columns)).name
        for rule in (*table.indexes, *table.constraints)
        if isinstance(rule, Index | UniqueConstraint) and len(rule.columns)
    }
    return found | {column.name for column in table.columns if column.unique or column.index}


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
    ],
    ids=lambda s: s.resource,
)
def test_every_sort_and_filter_has_an_index(service: type[BaseService[Any, Any, Any]]) -> None:
    offered = {*service.sorts, *service.filters} - FEW_VALUES
    assert offered <= leading_columns(service.model)


def test_agents_are_found_by_their_tags() -> None:
    assert "tags" in leading_columns(AgentService.model)


def test_every_filter_of_runs_has_an_index() -> None:
    assert set(RUN_FILTERS) <= leading_columns(Execution)


def test_every_filter_of_the_audit_log_has_an_index() -> None:
    assert {"at", *AUDIT_FILTERS} - {"resource_id"} <= leading_columns(AuditEvent)
