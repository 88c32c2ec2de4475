"""How far back runs and their bodies are kept, in one row."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Identity
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base

ONLY_ID = 1


class RetentionState(Base):
    """Months before ``*_before`` are to go, those before ``*_done_before`` are gone.

    Neither ever moves back: sums over runs of earlier hours are final.
    """

    __tablename__ = "retention_states"
    __table_args__ = (CheckConstraint(f"id = {ONLY_ID}", name="only_one"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    runs_before: Mapped[datetime | None]
    bodies_before: Mapped[datetime | None]
    runs_done_before: Mapped[datetime | None]
    bodies_done_before: Mapped[datetime | None]

    def __str__(self) -> str:
        return "retention"
