"""Live events on their way to every process, kept for minutes for listeners that were lost."""

from datetime import datetime

from sqlalchemy import Identity, Index, String, func
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, JsonObject


class LiveEvent(Base):
    """``id`` is the order in which every process delivers them."""

    __tablename__ = "live_events"
    __table_args__ = (Index("ix_live_events_at", "at"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    room: Mapped[str] = mapped_column(String(200))
    type: Mapped[str] = mapped_column(String(64))
    data: Mapped[JsonObject]
    origin: Mapped[str | None] = mapped_column(String(64))
