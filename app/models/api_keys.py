"""Keys of machine clients: the secret is shown once, only its SHA-256 is kept."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.agents import Agent
from app.models.base import Base, Versioned
from app.models.users import User


class ApiKey(Versioned, Base):
    __tablename__ = "api_keys"

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
    replaced_by_id: Mapped[int | None] = mapped_column(
        ForeignKey("api_keys.id", ondelete="SET NULL")
    )

    user: Mapped[User] = relationship(lazy="raise")
    agent: Mapped[Agent | None] = relationship(lazy="raise")

    def __str__(self) -> str:
        return self.name
