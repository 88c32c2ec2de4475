"""Snapshots of agents, which nobody changes."""

from typing import Any, ClassVar

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.base import Names, ServiceView
from app.admin.filters import Filter
from app.core.actor import Actor
from app.core.permissions import Permission
from app.core.texts import lazy
from app.models import Agent, AgentRevision, User
from app.services.agents import AgentService


class AgentRevisionView(ServiceView, model=AgentRevision):
    name, name_plural, icon = lazy("Agent revision"), lazy("Agent revisions"), "git-commit"
    about = lazy("Immutable snapshots of all that decides how an agent behaves.")
    permissions: ClassVar[dict[str, Permission]] = {
        "list": Permission.AGENTS_READ,
        "details": Permission.AGENTS_READ,
        "export": Permission.AGENTS_READ,
    }
    columns = ("id", "agent_id", "number", "note", "created_by", "created_at")
    more_columns = ("snapshot", "content_sha256")
    labels: ClassVar[dict[str, str]] = {"created_by": lazy("By")}
    names: ClassVar[dict[str, Names]] = {
        "agent_id": Names(Agent.name, Permission.AGENTS_READ),
        "created_by": Names(User.email, Permission.USERS_READ),
    }
    list_filters = (Filter("agent_id", lazy("Agent id")),)
    sorts = ("id",)
    default_sort = "-id"

    def visible(self, session: AsyncSession, actor: Actor, *, trashed: bool = False) -> Select[Any]:
        """Those of agents that this person may see."""
        agents = AgentService(session, actor).visible().with_only_columns(Agent.id)
        return select(AgentRevision).where(AgentRevision.agent_id.in_(agents))
