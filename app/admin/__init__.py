"""The data admin: SQLAdmin over the same services."""

from fastapi import FastAPI

from app.admin.agent_revisions import AgentRevisionView
from app.admin.agents import AgentView
from app.admin.api_keys import ApiKeyView
from app.admin.audit_events import AuditEventView
from app.admin.audit_seals import AuditSealView
from app.admin.base import ServiceView
from app.admin.bulk_changes import BulkChangeView
from app.admin.executions import ExecutionView
from app.admin.idempotency_keys import IdempotencyKeyView
from app.admin.ingest_batches import IngestBatchView
from app.admin.jobs import JobView
from app.admin.model_prices import ModelPriceView
from app.admin.refresh_tokens import RefreshTokenView
from app.admin.saved_views import SavedViewView
from app.admin.site import DataAdmin
from app.admin.spans import SpanView
from app.admin.staff_sessions import StaffSessionView
from app.admin.tools import ToolView
from app.admin.users import UserView
from app.admin.webhook_deliveries import WebhookDeliveryView
from app.admin.webhook_endpoints import WebhookEndpointView

VIEWS: tuple[type[ServiceView], ...] = (
    AgentView,
    AgentRevisionView,
    ToolView,
    ExecutionView,
    SpanView,
    IngestBatchView,
    JobView,
    BulkChangeView,
    ModelPriceView,
    SavedViewView,
    ApiKeyView,
    UserView,
    StaffSessionView,
    RefreshTokenView,
    WebhookEndpointView,
    WebhookDeliveryView,
    AuditEventView,
    AuditSealView,
    IdempotencyKeyView,
)


def mount_admin(app: FastAPI) -> None:
    """At /admin, over the app's own database, templates and session cookie."""
    admin = DataAdmin(app)
    for view in VIEWS:
        admin.add_view(view)
