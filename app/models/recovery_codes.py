"""Codes that replace a lost second factor, each once. 120 random bits, so SHA-256 suffices."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Identified


class RecoveryCode(Identified, Base):
    __tablename__ = "recovery_codes"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    code_sha256: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    used_at: Mapped[datetime | None]

    def __str__(self) -> str:
        return f"recovery code {self.id}"
