"""What the spans of a trace say of the run as a whole, and which of them says so."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, JsonObject


class TraceClaims(Base):
    """For each field the claim that counts most; see ``services/ingestion/claims.py``."""

    __tablename__ = "trace_claims"

    execution_id: Mapped[int] = mapped_column(
        ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True
    )
    claims: Mapped[JsonObject]
