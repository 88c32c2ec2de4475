"""What made spans: a service and the instrumentation in it, stored once for all of its spans."""

from datetime import date

from sqlalchemy import LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Identified, JsonObject


class SpanOrigin(Identified, Base):
    """Spans refer to it by its id; it goes with the last of them.

    No span in a month after that of ``used_until`` does; more than that is never changed.
    """

    __tablename__ = "span_origins"

    sha256: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    resource: Mapped[JsonObject]
    scope_name: Mapped[str] = mapped_column(String(300))
    scope_version: Mapped[str] = mapped_column(String(100))
    schema_url: Mapped[str] = mapped_column(String(300))
    used_until: Mapped[date] = mapped_column(server_default=text("CURRENT_DATE"))
