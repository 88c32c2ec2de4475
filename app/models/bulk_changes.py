"""One change of many rows: what it would do, and what it did, row by row."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Identified, JsonObject, text_enum
from app.models.jobs import Job
from app.models.users import User


class BulkResource(StrEnum):
    """What can be changed many at once."""

    AGENTS = "agents"
    TOOLS = "tools"
    EXECUTIONS = "executions"
    USERS = "users"
    API_KEYS = "api_keys"
    JOBS = "jobs"


class BulkAction(StrEnum):
    """What is done to each row; ``undo`` takes back what another bulk change did."""

    PAUSE = "pause"
    RESUME = "resume"
    ADD_TAG = "add_tag"
    REMOVE_TAG = "remove_tag"
    SET_MODEL = "set_model"
    SET_MAX_TOKENS = "set_max_tokens"
    TRASH = "trash"
    RESTORE = "restore"
    DISABLE = "disable"
    ENABLE = "enable"
    SET_ROLE = "set_role"
    END_SESSIONS = "end_sessions"
    SET_EXPIRY = "set_expiry"
    REVOKE = "revoke"
    CANCEL = "cancel"
    RETRY = "retry"
    UNDO = "undo"


class BulkOutcome(StrEnum):
    """What became of a row; ``pending`` is one that would change, and has not yet."""

    PENDING = "pending"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


class BulkChange(Identified, Base):
    """A dry run until it is started; those that nobody starts go at ``expires_at``."""

    __tablename__ = "bulk_changes"
    __table_args__ = (
        UniqueConstraint("job_id"),
        Index("ix_bulk_changes_undo_of_id", "undo_of_id"),
        Index("ix_bulk_changes_expires_at", "expires_at"),
        Index("ix_bulk_changes_created_at_id", "created_at", "id"),
        Index("ix_bulk_changes_user_id_created_at_id", "user_id", "created_at", "id"),
    )

    resource: Mapped[BulkResource] = mapped_column(text_enum(BulkResource, "resource"))
    action: Mapped[BulkAction] = mapped_column(text_enum(BulkAction, "action"))
    # The tag, the model or the number.
    value: Mapped[str | None] = mapped_column(String(200))
    note: Mapped[str | None] = mapped_column(String(500))
    # The filter that the rows were found by; empty where they were picked one by one.
    selection: Mapped[JsonObject]
    # What the dry run found.
    would_change: Mapped[int] = mapped_column(default=0)
    already_so: Mapped[int] = mapped_column(default=0)
    would_refuse: Mapped[int] = mapped_column(default=0)
    undo_of_id: Mapped[int | None] = mapped_column(
        ForeignKey("bulk_changes.id", ondelete="SET NULL")
    )
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id", ondelete="SET NULL"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    api_key_id: Mapped[int | None] = mapped_column(ForeignKey("api_keys.id", ondelete="SET NULL"))
    started_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]

    job: Mapped[Job | None] = relationship(lazy="raise")
    user: Mapped[User | None] = relationship(lazy="raise")

    @property
    def total(self) -> int:
        return self.would_change + self.already_so + self.would_refuse

    @property
    def is_over(self) -> bool:
        return self.job is not None and not self.job.is_open

    def __str__(self) -> str:
        return f"bulk change {self.id}"


class BulkChangeRow(Base):
    """One row of it. ``changes`` are ``{field: [old, new]}``, as in the audit log."""

    __tablename__ = "bulk_change_rows"
    __table_args__ = (Index("ix_bulk_change_rows_outcome", "bulk_change_id", "outcome", "row_id"),)

    bulk_change_id: Mapped[int] = mapped_column(
        ForeignKey("bulk_changes.id", ondelete="CASCADE"), primary_key=True
    )
    # No foreign key: it is of whichever table the change is about.
    row_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    label: Mapped[str] = mapped_column(String(300))
    # The version that the dry run saw: a row that has another one by then is left alone.
    row_version: Mapped[int | None]
    outcome: Mapped[BulkOutcome] = mapped_column(text_enum(BulkOutcome, "outcome"))
    changes: Mapped[JsonObject]
    reason: Mapped[str | None] = mapped_column(Text)
