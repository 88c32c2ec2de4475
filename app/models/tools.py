"""Things an agent can call; their arguments are described by a JSON Schema."""

from enum import StrEnum

from sqlalchemy import Computed, ForeignKey, Index, LargeBinary, String, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Editable, JsonObject, text_enum
from app.models.users import User

SEARCH_NAME_AND_DESCRIPTION = (
    "to_tsvector('simple'::regconfig, translate(name, '-_', '  ') || ' ' || name || ' ' || "
    "coalesce(description, ''))"
)


class ToolKind(StrEnum):
    """Who carries the call out: the caller, Greenroom over HTTP, or an MCP server."""

    FUNCTION = "function"
    HTTP = "http"
    MCP = "mcp"


class Tool(Editable, Base):
    __tablename__ = "tools"
    __table_args__ = (
        Index(
            "uq_tools_user_id_name_live",
            "user_id",
            "name",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("ix_tools_search", "search", postgresql_using="gin"),
        Index("ix_tools_name_id", "name", "id", postgresql_where=text("deleted_at IS NULL")),
        Index("ix_tools_created_at_id", "created_at", "id"),
        Index("ix_tools_updated_at_id", "updated_at", "id"),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str | None] = mapped_column(Text)
    kind: Mapped[ToolKind] = mapped_column(text_enum(ToolKind, "kind"), default=ToolKind.FUNCTION)
    parameters: Mapped[JsonObject]
    # Where a tool of kind http is called: {"url", "method"}. Without it the caller answers.
    endpoint: Mapped[JsonObject | None]
    # Headers to send there: the names are shown, the values are encrypted and never leave.
    header_names: Mapped[list[str]] = mapped_column(
        ARRAY(String(100)), default=list, server_default=text("'{}'")
    )
    sealed_headers: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    is_active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    search: Mapped[str] = mapped_column(
        TSVECTOR, Computed(SEARCH_NAME_AND_DESCRIPTION, persisted=True), deferred=True
    )

    user: Mapped[User] = relationship(lazy="raise")

    def __str__(self) -> str:
        return self.name
