"""How large the database and its largest tables were, a few times a day."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base

# What the whole is called among the names of tables.
DATABASE = "*"


class StorageSize(Base):
    """Partitions count under their table, and so do indexes and long values."""

    __tablename__ = "storage_sizes"

    measured_at: Mapped[datetime] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(130), primary_key=True)
    total_bytes: Mapped[int]

    def __str__(self) -> str:
        return f"{self.name} at {self.measured_at:%Y-%m-%d %H:%M}"
