"""Tables; importing this package registers them all."""

from app.models.agent_revisions import AgentRevision
from app.models.agent_runs import AgentRun, RunState
from app.models.agents import Agent, agent_tools
from app.models.api_keys import ApiKey
from app.models.audit_erasures import AuditErasure
from app.models.audit_events import AuditEvent
from app.models.audit_seals import AuditSeal
from app.models.base import Base
from app.models.bulk_changes import (
    BulkAction,
    BulkChange,
    BulkChangeRow,
    BulkOutcome,
    BulkResource,
)
from app.models.config_pulls import ConfigPull
from app.models.execution_stats import ExecutionStatsHour
from app.models.executions import Execution, ExecutionBody
from app.models.feedback import Feedback
from app.models.idempotency_keys import IdempotencyKey
from app.models.imports import Import
from app.models.ingest_batches import IngestBatch
from app.models.instance_settings import InstanceSettings
from app.models.jobs import Job, JobKind, JobStatus
from app.models.live_events import LiveEvent
from app.models.login_attempts import AttemptKind, LoginAttempt
from app.models.model_prices import ModelPrice
from app.models.presences import Presence
from app.models.recovery_codes import RecoveryCode
from app.models.refresh_tokens import RefreshToken
from app.models.rejected_spans import RejectedSpan
from app.models.retention_states import RetentionState
from app.models.saved_views import ListName, ListPreference, SavedView
from app.models.span_logs import SpanLog
from app.models.span_origins import SpanOrigin
from app.models.spans import Span, SpanBody
from app.models.staff_sessions import StaffSession
from app.models.stale_hours import HourlyFigures, StaleHour
from app.models.storage_sizes import StorageSize
from app.models.tool_calls import CallProblemKind, ToolCallHour, ToolCallProblem
from app.models.tools import Tool
from app.models.trace_claims import TraceClaims
from app.models.user_tokens import TokenPurpose, UserToken
from app.models.users import User
from app.models.webhook_deliveries import DeliveryStatus, WebhookDelivery
from app.models.webhook_endpoints import WebhookEndpoint, WebhookEvent

__all__ = [
    "Agent",
    "AgentRevision",
    "AgentRun",
    "ApiKey",
    "AttemptKind",
    "AuditErasure",
    "AuditEvent",
    "AuditSeal",
    "Base",
    "BulkAction",
    "BulkChange",
    "BulkChangeRow",
    "BulkOutcome",
    "BulkResource",
    "CallProblemKind",
    "ConfigPull",
    "DeliveryStatus",
    "Execution",
    "ExecutionBody",
    "ExecutionStatsHour",
    "Feedback",
    "HourlyFigures",
    "IdempotencyKey",
    "Import",
    "IngestBatch",
    "InstanceSettings",
    "Job",
    "JobKind",
    "JobStatus",
    "ListName",
    "ListPreference",
    "LiveEvent",
    "LoginAttempt",
    "ModelPrice",
    "Presence",
    "RecoveryCode",
    "RefreshToken",
    "RejectedSpan",
    "RetentionState",
    "RunState",
    "SavedView",
    "Span",
    "SpanBody",
    "SpanLog",
    "SpanOrigin",
    "StaffSession",
    "StaleHour",
    "StorageSize",
    "TokenPurpose",
    "Tool",
    "ToolCallHour",
    "ToolCallProblem",
    "TraceClaims",
    "User",
    "UserToken",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookEvent",
    "agent_tools",
]
