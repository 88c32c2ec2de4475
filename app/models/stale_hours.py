"""Hours whose figures are to be counted anew."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import PrimaryKeyConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, text_enum


class HourlyFigures(StrEnum):
    """What is counted by the hour in which runs began."""

    EXECUTIONS = "executions"
    TOOL_CALLS = "tool_calls"


class StaleHour(Base):
    """One transaction has changed runs of an agent that began in this hour (UTC).

    The transaction is part of the key: writers never wait for each other, and whoever sees the
    mark sees what it stands for, since both were committed together. Marks of ``executions`` are
    made by triggers on that table, whoever writes to it; those of ``tool_calls`` by the services
    that write steps. Without a foreign key: runs of an agent that is removed mark their hours
    while it goes.
    """

    __tablename__ = "stale_hours"
    __table_args__ = (PrimaryKeyConstraint("figures", "hour", "agent_id", "transaction"),)

    figures: Mapped[HourlyFigures] = mapped_column(text_enum(HourlyFigures, "figures"))
    hour: Mapped[datetime]
    agent_id: Mapped[int]
    transaction: Mapped[int] = mapped_column(server_default=text("txid_current()"))

    def __str__(self) -> str:
        return f"{self.figures} {self.hour:%Y-%m-%d %H}h"
