"""Lists as somebody keeps them: filters, a sort and columns under a name."""

from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Editable, JsonObject, Versioned, text_enum
from app.models.users import User


class ListName(StrEnum):
    """Lists that can be narrowed, sorted and kept as a view."""

    EXECUTIONS = "executions"
    AGENTS = "agents"
    TOOLS = "tools"
    USERS = "users"
    API_KEYS = "api_keys"
    JOBS = "jobs"
    AUDIT_EVENTS = "audit_events"
    WEBHOOK_ENDPOINTS = "webhook_endpoints"
    MODEL_PRICES = "model_prices"
    BULK_CHANGES = "bulk_changes"


class SavedView(Editable, Base):
    __tablename__ = "saved_views"
    __table_args__ = (
        Index(
            "uq_saved_views_user_id_resource_name_live",
            "user_id",
            "resource",
            "name",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("ix_saved_views_resource_name_id", "resource", "name", "id"),
        Index("ix_saved_views_created_at_id", "created_at", "id"),
        Index("ix_saved_views_name_id", "name", "id"),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    resource: Mapped[ListName] = mapped_column(text_enum(ListName, "resource"))
    name: Mapped[str] = mapped_column(String(100))
    # By the URL's parameter, each with a list of texts.
    filters: Mapped[JsonObject]
    # Empty: the list's usual order, and its usual columns.
    sort: Mapped[str] = mapped_column(String(40), default="", server_default=text("''"))
    columns: Mapped[list[str]] = mapped_column(
        ARRAY(String(40)), default=list, server_default=text("'{}'")
    )
    # Read by everyone who enters the back office; changed by the owner alone.
    is_shared: Mapped[bool] = mapped_column(default=False, server_default=text("false"))

    user: Mapped[User] = relationship(lazy="raise")

    def __str__(self) -> str:
        return self.name


class ListPreference(Versioned, Base):
    """How a person wants a list to open."""

    __tablename__ = "list_preferences"
    __table_args__ = (
        Index("uq_list_preferences_user_id_resource", "user_id", "resource", unique=True),
        Index("ix_list_preferences_default_view_id", "default_view_id"),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    resource: Mapped[ListName] = mapped_column(text_enum(ListName, "resource"))
    columns: Mapped[list[str]] = mapped_column(
        ARRAY(String(40)), default=list, server_default=text("'{}'")
    )
    default_view_id: Mapped[int | None] = mapped_column(
        ForeignKey("saved_views.id", ondelete="SET NULL")
    )

    def __str__(self) -> str:
        return self.resource.value
