"""Tries to get in, counted per account, address and in all; rows older than a day are removed."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Identity, Index, LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, text_enum


class AttemptKind(StrEnum):
    """What was tried; each kind has its own limits."""

    PASSWORD = "password"  # noqa: S105  (the name of a kind)
    SECOND_FACTOR = "second_factor"
    RESET = "reset"


class LoginAttempt(Base):
    """One try against one subject: the account, the address, or everyone."""

    __tablename__ = "login_attempts"
    __table_args__ = (
        Index("ix_login_attempts_kind_subject_at", "kind", "subject", "at"),
        Index("ix_login_attempts_at", "at"),  # what is old is removed
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    kind: Mapped[AttemptKind] = mapped_column(text_enum(AttemptKind, "kind"))
    # A keyed hash: the table tells nobody which addresses were tried.
    subject: Mapped[bytes] = mapped_column(LargeBinary(32))
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    def __str__(self) -> str:
        return f"attempt {self.id}"
