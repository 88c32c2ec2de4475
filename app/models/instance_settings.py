"""What superusers set for everyone, in one row."""

from sqlalchemy import CheckConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, JsonObject, Versioned

ONLY_ID = 1


class InstanceSettings(Versioned, Base):
    __tablename__ = "instance_settings"
    __table_args__ = (CheckConstraint(f"id = {ONLY_ID}", name="only_one"),)

    require_second_factor: Mapped[bool] = mapped_column(default=False, server_default=text("false"))

    # What was changed of app.core.runtime_settings, by key; the environment says the others.
    overrides: Mapped[JsonObject] = mapped_column(server_default=text("'{}'"))

    def __str__(self) -> str:
        return "settings"
