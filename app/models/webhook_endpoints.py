"""Where the product tells other systems what happened, signed as Standard Webhooks 1.0 says."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, LargeBinary, String
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Editable
from app.models.users import User


class WebhookEvent(StrEnum):
    """What an endpoint can ask to be told of; ``docs/webhooks.md`` describes each."""

    EXECUTION_FINISHED = "execution.finished"
    EXECUTION_FAILED = "execution.failed"
    AGENT_CREATED = "agent.created"
    AGENT_UPDATED = "agent.updated"
    AGENT_PAUSED = "agent.paused"
    AGENT_RESUMED = "agent.resumed"
    TOOL_PAUSED = "tool.paused"
    TOOL_RESUMED = "tool.resumed"
    KEY_CREATED = "key.created"
    KEY_PAUSED = "key.paused"
    KEY_RESUMED = "key.resumed"
    KEY_REVOKED = "key.revoked"
    JOB_FAILED = "job.failed"


# Sent by a button, whatever the endpoint asked for.
TEST_EVENT = "webhook.test"


class EndpointState(StrEnum):
    ACTIVE = "active"
    FAILING = "failing"
    DISABLED = "disabled"


class WebhookEndpoint(Editable, Base):
    """Secrets are encrypted; two are in force for a while after a rotation."""

    __tablename__ = "webhook_endpoints"
    __table_args__ = (Index("ix_webhook_endpoints_created_at_id", "created_at", "id"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    url: Mapped[str] = mapped_column(String(2000))
    description: Mapped[str | None] = mapped_column(String(200))
    events: Mapped[list[str]] = mapped_column(ARRAY(String(64)))
    sealed_secret: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_old_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    old_secret_until: Mapped[datetime | None]
    is_active: Mapped[bool] = mapped_column(default=True, server_default="true")
    # Why it is not active; only where somebody or something said so.
    disabled_reason: Mapped[str | None] = mapped_column(String(500))
    # Since when no delivery has succeeded; null while all is well.
    failing_since: Mapped[datetime | None]

    user: Mapped[User] = relationship(lazy="raise")

    @property
    def state(self) -> EndpointState:
        if not self.is_active:
            return EndpointState.DISABLED
        return EndpointState.FAILING if self.failing_since else EndpointState.ACTIVE

    def __str__(self) -> str:
        return self.url
