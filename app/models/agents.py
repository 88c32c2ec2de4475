"""Named configurations of a model: prompt, limits, free config and the tools it may call."""

from sqlalchemy import Column, Computed, ForeignKey, Index, String, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Editable, JsonObject
from app.models.tools import SEARCH_NAME_AND_DESCRIPTION, Tool
from app.models.users import User

agent_tools = Table(
    "agent_tools",
    Base.metadata,
    Column("agent_id", ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True),
    Column("tool_id", ForeignKey("tools.id", ondelete="CASCADE"), primary_key=True, index=True),
)


class Agent(Editable, Base):
    __tablename__ = "agents"
    __table_args__ = (
        Index(
            "uq_agents_user_id_name_live",
            "user_id",
            "name",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("ix_agents_search", "search", postgresql_using="gin"),
        Index("ix_agents_name_id", "name", "id", postgresql_where=text("deleted_at IS NULL")),
        Index("ix_agents_created_at_id", "created_at", "id"),
        Index("ix_agents_updated_at_id", "updated_at", "id"),
        Index("ix_agents_model_name", "model_name"),
        Index("ix_agents_tags", "tags", postgresql_using="gin"),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str | None] = mapped_column(Text)
    model_name: Mapped[str] = mapped_column(String(200))
    system_prompt: Mapped[str] = mapped_column(Text)
    max_tokens: Mapped[int]
    config: Mapped[JsonObject]
    internal_notes: Mapped[str | None] = mapped_column(Text)
    # To group and find agents by; no part of what runs, so they make no revision.
    tags: Mapped[list[str]] = mapped_column(
        ARRAY(String(64)), default=list, server_default=text("'{}'")
    )
    # False is "paused": runtimes are told to stop.
    is_active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    # Made because runs of it arrived; nobody has written down yet what it is.
    is_draft: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    live_revision_id: Mapped[int | None] = mapped_column(
        ForeignKey("agent_revisions.id", use_alter=True)
    )
    search: Mapped[str] = mapped_column(
        TSVECTOR, Computed(SEARCH_NAME_AND_DESCRIPTION, persisted=True), deferred=True
    )

    user: Mapped[User] = relationship(lazy="raise")
    tools: Mapped[list[Tool]] = relationship(
        secondary=agent_tools, lazy="raise", order_by=Tool.name, passive_deletes=True
    )
    live_revision: Mapped["AgentRevision | None"] = relationship(
        lazy="raise", foreign_keys=[live_revision_id]
    )

    def __str__(self) -> str:
        return self.name


from app.models.agent_revisions import AgentRevision  # noqa: E402  (the two refer to each other)
