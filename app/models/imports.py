"""Files to import, between their preview and the word to go on; removed when that is over."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Identified, JsonObject
from app.models.jobs import Job


class Import(Identified, Base):
    __tablename__ = "imports"
    __table_args__ = (
        UniqueConstraint("job_id"),
        Index("ix_imports_user_id", "user_id"),
        Index("ix_imports_expires_at", "expires_at"),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    resource: Mapped[str] = mapped_column(String(32))
    file_name: Mapped[str] = mapped_column(String(200))
    # {"rows": [...]}: what is to become of each row of the file, as the preview says.
    plan: Mapped[JsonObject]
    # What became of a row, by its place in the plan: null for done, else why not.
    results: Mapped[JsonObject]
    # Which rows are to be written; set when somebody has said so.
    mode: Mapped[str | None] = mapped_column(String(16))
    expires_at: Mapped[datetime]
    # What writes them; none where the command line did. Going on after it has ended is another.
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id", ondelete="SET NULL"))

    job: Mapped[Job | None] = relationship(lazy="raise")

    def __str__(self) -> str:
        return self.file_name
