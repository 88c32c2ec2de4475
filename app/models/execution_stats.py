"""Sums over the runs of an hour.

Without foreign keys: agents that are removed take their runs along, which marks their hours as
changed in the same transaction.
"""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    Identity,
    Index,
    Numeric,
    SmallInteger,
    String,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, text_enum
from app.models.executions import ExecutionStatus


class ExecutionStatsHour(Base):
    """Of the runs of one agent that started in one hour (UTC), by model and status.

    True unless a ``StaleHour`` of executions says otherwise; runs in the trash are not counted.
    """

    __tablename__ = "execution_stats_hourly"
    __table_args__ = (
        Index(
            "uq_execution_stats_hourly_agent_id",
            "agent_id",
            "hour",
            "model_name",
            "status",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        Index("ix_execution_stats_hourly_hour", "hour"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    hour: Mapped[datetime]
    agent_id: Mapped[int]
    model_name: Mapped[str | None] = mapped_column(String(200))
    status: Mapped[ExecutionStatus] = mapped_column(text_enum(ExecutionStatus, "status"))
    runs: Mapped[int]
    # Sums of any size: one that did not fit would keep its hour from ever being summed.
    cost: Mapped[Decimal | None] = mapped_column(Numeric)
    unpriced: Mapped[int]
    input_tokens: Mapped[Decimal | None] = mapped_column(Numeric)
    output_tokens: Mapped[Decimal | None] = mapped_column(Numeric)
    # The histogram of latencies: buckets that are not empty, and how many runs are in each.
    latency_buckets: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger))
    latency_counts: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
