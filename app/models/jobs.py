"""Work in the background: the durable face of a queued task."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.agents import Agent
from app.models.base import Base, Identified, JsonObject, text_enum
from app.models.users import User


class JobKind(StrEnum):
    """What a job does; each has a handler in ``app.jobs``."""

    ANALYZE_AGENT = "analyze_agent"
    RUN_AGENT = "run_agent"
    SEND_MAIL = "send_mail"
    DELIVER_WEBHOOK = "deliver_webhook"
    RECOMPUTE_COSTS = "recompute_costs"
    BULK_CHANGE = "bulk_change"
    IMPORT_ROWS = "import_rows"
    APPLY_RETENTION = "apply_retention"


class JobStatus(StrEnum):
    """Where a job stands; the first two are open, the others final until it is retried."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN_JOBS = frozenset({JobStatus.QUEUED, JobStatus.RUNNING})


class Job(Identified, Base):
    """``attempts`` only ever grows: the attempt that holds the newest number may write, no other.

    ``scopes`` are what the one who asked was allowed to do; the work is allowed no more.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint("progress BETWEEN 0 AND 100", name="progress"),
        Index("ix_jobs_created_at_id", "created_at", "id"),
        Index(
            "ix_jobs_without_deliveries",
            "created_at",
            "id",
            postgresql_where=text("kind <> 'deliver_webhook'"),
        ),
        Index("ix_jobs_status_created_at_id", "status", "created_at", "id"),
        Index("ix_jobs_kind_created_at_id", "kind", "created_at", "id"),
        Index("ix_jobs_user_id_created_at_id", "user_id", "created_at", "id"),
        Index("ix_jobs_agent_id_created_at_id", "agent_id", "created_at", "id"),
    )

    # Plain text: an older version's worker leaves alone what it does not know.
    kind: Mapped[str] = mapped_column(String(64))
    status: Mapped[JobStatus] = mapped_column(
        text_enum(JobStatus, "status"), default=JobStatus.QUEUED
    )
    progress: Mapped[int] = mapped_column(default=0, server_default="0")
    message: Mapped[str | None] = mapped_column(String(500))
    params: Mapped[JsonObject]
    # Encrypted parameters that only the work itself may read, until it has succeeded.
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    result: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))  # any JSON value
    error: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    attempts_allowed: Mapped[int]
    cancel_requested: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    # When a failed attempt is tried again.
    next_at: Mapped[datetime | None]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    api_key_id: Mapped[int | None] = mapped_column(ForeignKey("api_keys.id", ondelete="SET NULL"))
    agent_id: Mapped[int | None] = mapped_column(ForeignKey("agents.id", ondelete="CASCADE"))
    # What caused it: the id of the request, and its W3C trace context where traces are exported.
    request_id: Mapped[str | None] = mapped_column(String(64))
    traceparent: Mapped[str | None] = mapped_column(String(64))
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(64)), server_default=text("'{}'"))

    agent: Mapped[Agent | None] = relationship(lazy="raise")
    user: Mapped[User | None] = relationship(lazy="raise")

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_JOBS

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"
