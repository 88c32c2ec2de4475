"""What Greenroom needs to go on with an execution that it runs itself; gone when that ends."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, JsonObject, text_enum
from app.models.executions import Execution


class RunState(StrEnum):
    """Whose turn it is: to be begun, being worked on, or waiting for the caller's tool results."""

    READY = "ready"
    WORKING = "working"
    WAITING = "waiting"


class AgentRun(Base):
    """One for each open execution that is run here. Only who made it ``working`` goes on with it.

    ``plan`` says what runs, ``messages`` is the conversation as the model gets it next, ``calls``
    are those that the caller has to answer. A worker renews ``seen_at``.
    """

    __tablename__ = "agent_runs"
    __table_args__ = (
        Index("ix_agent_runs_seen_at", "seen_at"),
        Index("ix_agent_runs_job_id", "job_id"),
    )

    execution_id: Mapped[int] = mapped_column(
        ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True
    )
    state: Mapped[RunState] = mapped_column(text_enum(RunState, "state"))
    plan: Mapped[JsonObject]
    messages: Mapped[list[Any]] = mapped_column(JSONB(none_as_null=True))  # JSON objects
    calls: Mapped[list[Any]] = mapped_column(JSONB(none_as_null=True))  # JSON objects
    turns: Mapped[int] = mapped_column(default=0, server_default="0")
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id", ondelete="SET NULL"))
    seen_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    execution: Mapped[Execution] = relationship(lazy="raise")

    def __str__(self) -> str:
        return f"run of execution {self.execution_id}"
