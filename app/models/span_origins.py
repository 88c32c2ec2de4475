"""What made spans: a service and the instrumentation in it, stored once for all of its spans."""

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Identified, JsonObject


class SpanOrigin(Identified, Base):
    """Never changed and never removed: spans refer to it by its id."""

    __tablename__ = "span_origins"

    sha256: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    resource: Mapped[JsonObject]
    scope_name: Mapped[str] = mapped_column(String(300))
    scope_version: Mapped[str] = mapped_column(String(100))
    schema_url: Mapped[str] = mapped_column(String(300))
