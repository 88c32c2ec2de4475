"""Hours whose figures are to be counted anew."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, PrimaryKeyConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, text_enum


class HourlyFigures(StrEnum):
    """What is counted by the hour in which runs began."""

    TOOL_CALLS = "tool_calls"


class StaleHour(Base):
    """One transaction has changed runs of an agent that began in this hour (UTC).

    The transaction is part of the key: writers never wait for each other, and whoever sees the
    mark sees what it stands for, since both were committed together.
    """

    __tablename__ = "stale_hours"
    __table_args__ = (PrimaryKeyConstraint("figures", "agent_id", "hour", "transaction"),)

    figures: Mapped[HourlyFigures] = mapped_column(text_enum(HourlyFigures, "figures"))
    agent_id: Mapped[int] = mapped_column(ForeignKey("agents.id", ondelete="CASCADE"))
    hour: Mapped[datetime]
    transaction: Mapped[int] = mapped_column(server_default=text("txid_current()"))

    def __str__(self) -> str:
        return f"{self.figures} {self.hour:%Y-%m-%d %H}h"
