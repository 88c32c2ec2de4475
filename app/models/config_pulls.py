"""Which key has pulled which revision of an agent, when last, and how often."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.agents import Agent
from app.models.api_keys import ApiKey
from app.models.base import Base


class ConfigPull(Base):
    """Counts, not records: a process that dies forgets those of its last seconds."""

    __tablename__ = "config_pulls"
    __table_args__ = (Index("ix_config_pulls_agent_id_last_at", "agent_id", "last_at"),)

    api_key_id: Mapped[int] = mapped_column(
        ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True
    )
    agent_id: Mapped[int] = mapped_column(
        ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True
    )
    # The revision's number.
    revision: Mapped[int] = mapped_column(primary_key=True)
    pulls: Mapped[int]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]

    api_key: Mapped[ApiKey] = relationship(lazy="raise")
    agent: Mapped[Agent] = relationship(lazy="raise")

    def __str__(self) -> str:
        return f"r{self.revision}"
