"""Who looks at which page at this moment, in any process."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, func
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class Presence(Base):
    """One socket in one room. Its process renews ``seen_at``; without that it is over soon."""

    __tablename__ = "presences"
    __table_args__ = (
        Index("ix_presences_room", "room"),
        Index("ix_presences_process_id", "process_id"),
        # After a crash of the database everyone comes back by themselves.
        {"prefixes": ["UNLOGGED"]},
    )

    socket_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    room: Mapped[str] = mapped_column(String(200), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    process_id: Mapped[UUID] = mapped_column(PG_UUID(as_uuid=True))
    seen_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
