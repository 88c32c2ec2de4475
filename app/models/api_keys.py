"""Keys of machine clients: the secret is shown once, only its SHA-256 is kept."""

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.agents import Agent
from app.models.base import Base, Versioned
from app.models.users import User

EXPIRES_SOON = timedelta(days=7)


class KeyState(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"
    EXPIRING = "expiring"
    REPLACED = "replaced"
    EXPIRED = "expired"
    REVOKED = "revoked"


class ApiKey(Versioned, Base):
    __tablename__ = "api_keys"
    __table_args__ = (
        Index("ix_api_keys_created_at_id", "created_at", "id"),
        Index("ix_api_keys_name_id", "name", "id"),
        Index("ix_api_keys_agent_id", "agent_id"),
        Index("ix_api_keys_last_used_at", "last_used_at"),
        Index("ix_api_keys_expires_at", "expires_at"),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    # The first characters, enough to recognise a key and useless to guess it.
    prefix: Mapped[str] = mapped_column(String(16), unique=True)
    secret_sha256: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(64)))
    agent_id: Mapped[int | None] = mapped_column(ForeignKey("agents.id", ondelete="CASCADE"))
    # Address ranges in CIDR notation that the key may be used from; empty is anywhere.
    allowed_cidrs: Mapped[list[str]] = mapped_column(ARRAY(String(64)), server_default=text("'{}'"))
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    last_used_ip: Mapped[str | None] = mapped_column(String(64))
    revoked_at: Mapped[datetime | None]
    # Since when it opens nothing for a while; unlike a revoked one it can be resumed.
    paused_at: Mapped[datetime | None]
    replaced_by_id: Mapped[int | None] = mapped_column(
        ForeignKey("api_keys.id", ondelete="SET NULL")
    )

    user: Mapped[User] = relationship(lazy="raise")
    agent: Mapped[Agent | None] = relationship(lazy="raise")

    def state(self, now: datetime) -> KeyState:
        """What the key is good for; a replaced one works until it expires."""
        if self.revoked_at is not None:
            return KeyState.REVOKED
        if self.expires_at is not None and self.expires_at <= now:
            return KeyState.EXPIRED
        if self.paused_at is not None:
            return KeyState.PAUSED
        if self.replaced_by_id is not None:
            return KeyState.REPLACED
        soon = self.expires_at is not None and self.expires_at <= now + EXPIRES_SOON
        return KeyState.EXPIRING if soon else KeyState.ACTIVE

    def __str__(self) -> str:
        return self.name
