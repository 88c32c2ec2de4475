"""Tables; importing this package registers them all."""

from app.models.agent_revisions import AgentRevision
from app.models.agents import Agent, agent_tools
from app.models.api_keys import ApiKey
from app.models.audit_events import AuditEvent
from app.models.base import Base
from app.models.executions import Execution, ExecutionBody, Feedback
from app.models.idempotency_keys import IdempotencyKey
from app.models.spans import Span, SpanBody
from app.models.staff_sessions import StaffSession
from app.models.tools import Tool
from app.models.users import User

__all__ = [
    "Agent",
    "AgentRevision",
    "ApiKey",
    "AuditEvent",
    "Base",
    "Execution",
    "ExecutionBody",
    "Feedback",
    "IdempotencyKey",
    "Span",
    "SpanBody",
    "StaffSession",
    "Tool",
    "User",
    "agent_tools",
]
