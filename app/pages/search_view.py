"""All that can be jumped to: pages and actions by their names, rows by what their services find.

Each service answers with what this person may see; a group nobody may read is not asked for.
"""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import quote_plus

from fastapi import Depends

from app.api.frame import NAVIGATION
from app.core.actor import Actor
from app.core.permissions import Permission
from app.core.texts import _, lazy
from app.core.wording import words
from app.models import Agent, Execution
from app.pages.deps import AgentServiceDep
from app.pages.list_views import href_of
from app.schemas.agents import AgentQuery
from app.schemas.base import MAX_BIGINT
from app.schemas.executions import ExecutionQuery
from app.schemas.saved_views import SavedViewQuery
from app.schemas.tools import ToolQuery
from app.schemas.users import UserQuery
from app.services.agents import AgentService
from app.services.executions import ExecutionService
from app.services.saved_views import SavedViewService
from app.services.tools import ToolService
from app.services.users import UserService

P = Permission
WORD = re.compile(r"\w+")
# Words begin with what is typed; so few letters begin the words of nearly every run.
LEAST_FOR_RUNS = 3


@dataclass(frozen=True, slots=True)
class Hit:
    """Somewhere to go; ``act`` names what the page does itself instead, with JavaScript."""

    label: str
    href: str
    icon: str
    detail: str = ""
    status: str | None = None
    at: datetime | None = None
    act: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Hits of one kind, and where all of them are."""

    title: str
    hits: Sequence[Hit]
    more_href: str | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """What one can begin from anywhere, with other words that people look for it by."""

    label: str
    href: str
    icon: str
    permission: Permission = P.BACK_OFFICE
    words: str = ""
    act: str | None = None


ACTIONS = (
    Action(lazy("New agent"), "/agents/new", "plus", P.AGENTS_WRITE, lazy("create add")),
    Action(lazy("New tool"), "/tools/new", "plus", P.TOOLS_WRITE, lazy("create add function")),
    Action(lazy("New API key"), "/keys/new", "plus", P.KEYS_WRITE, lazy("create add token")),
    Action(
        lazy("New webhook"), "/webhooks/new", "plus", P.WEBHOOKS_MANAGE, lazy("create add endpoint")
    ),
    Action(
        lazy("New model price"),
        "/model-prices/new",
        "plus",
        P.PRICES_MANAGE,
        lazy("create add cost"),
    ),
    Action(
        lazy("Invite a person"),
        "/users/invite",
        "user-plus",
        P.USERS_MANAGE,
        lazy("new user add create"),
    ),
    Action(
        lazy("Your account"),
        "/account",
        "user-circle",
        words=lazy("password sessions time zone profile"),
    ),
    Action(lazy("Saved views"), "/views", "bookmark", P.VIEWS_READ, lazy("lists filters")),
    Action(lazy("API reference"), "/api/docs", "code", words=lazy("openapi swagger rest")),
    Action(lazy("Change the theme"), "", "moon", words=lazy("dark light"), act="theme"),
    Action(lazy("Keyboard shortcuts"), "", "keyboard", words=lazy("keys help"), act="keys"),
    Action(lazy("Sign out"), "", "logout", words=lazy("log out leave"), act="sign-out"),
)


def is_named(text: str, label: str, words: str = "") -> bool:
    """Whether each typed word begins one of the words of a name."""
    known = [word.lower() for word in WORD.findall(f"{label} {words}")]
    typed = WORD.findall(text.lower())
    return bool(typed or not text) and all(
        any(word.startswith(part) for word in known) for part in typed
    )


def pages_for(actor: Actor, text: str) -> list[Hit]:
    items = [item for _, group in NAVIGATION for item in group]
    return [
        Hit(item.label, item.href, item.icon)
        for item in items
        if actor.may(item.permission) and is_named(text, item.label)
    ]


def actions_for(actor: Actor, text: str) -> list[Hit]:
    return [
        Hit(each.label, each.href, each.icon, act=each.act)
        for each in ACTIONS
        if actor.may(each.permission) and is_named(text, each.label, each.words)
    ]


def about(agent: Agent) -> str:
    return " · ".join(filter(None, (agent.model_name, agent.description)))


def run_hit(run: Execution) -> Hit:
    label = run.preview or _("Run %(run)s", run=run.id)
    detail = " · ".join(filter(None, (run.agent.name, run.external_id)))
    href = f"/executions/{run.id}"
    return Hit(label, href, "activity", detail, run.status.value, run.started_at)


class Finder:
    """What one person finds, a few of each kind."""

    def __init__(self, agents: AgentService) -> None:
        """The other services work in the same session, for the same person."""
        self._agents = agents
        self.session = agents.session
        self.actor = agents.actor

    async def groups(self, text: str, shown: int) -> list[Group]:
        """At most ``shown`` rows of each kind; without words the pages and actions alone."""
        found = [group async for group in self._rows(text, shown)] if text else []
        named = [
            Group(_("Actions"), actions_for(self.actor, text)),
            Group(_("Pages"), pages_for(self.actor, text)),
        ]
        # What is named exactly so comes before what merely holds the words.
        return [group for group in [*named, *found] if group.hits]

    async def _rows(self, text: str, shown: int) -> AsyncIterator[Group]:
        query = quote_plus(text)
        if self.actor.may(P.AGENTS_READ):
            yield Group(_("Agents"), await self.agents(text, shown), f"/agents?q={query}")
        if self.actor.may(P.TOOLS_READ):
            yield Group(_("Tools"), await self.tools(text, shown), f"/tools?q={query}")
        if self.actor.may(P.EXECUTIONS_READ):
            yield Group(_("Executions"), await self.runs(text, shown), f"/executions?q={query}")
        if self.actor.may(P.USERS_READ):
            yield Group(_("Users"), await self.users(text, shown), f"/users?q={query}")
        if self.actor.may(P.VIEWS_READ):
            yield Group(_("Saved views"), await self.views(text, shown), "/views")

    async def agents(self, text: str, shown: int) -> list[Hit]:
        rows = (await self._agents.list_slice(AgentQuery(q=text), None, shown)).items
        return [Hit(row.name, f"/agents/{row.id}", "robot", about(row)) for row in rows]

    async def tools(self, text: str, shown: int) -> list[Hit]:
        service = ToolService(self.session, self.actor)
        rows = (await service.list_slice(ToolQuery(q=text), None, shown)).items
        return [Hit(row.name, f"/tools/{row.id}", "tool", row.description or "") for row in rows]

    async def runs(self, text: str, shown: int) -> list[Hit]:
        """By number, by external or trace id, by words of what was said."""
        service = ExecutionService(self.session, self.actor)
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
        queries = [ExecutionQuery(ids=[number])] if 0 < number <= MAX_BIGINT else []
        if len(text) >= LEAST_FOR_RUNS:
            queries.append(ExecutionQuery(q=text, limit=shown))
        found = {run.id: run for query in queries for run in (await service.list_runs(query)).items}
        return [run_hit(run) for run in list(found.values())[:shown]]

    async def users(self, text: str, shown: int) -> list[Hit]:
        service = UserService(self.session, self.actor)
        rows = (await service.list_slice(UserQuery(q=text), None, shown)).items
        return [
            Hit(row.full_name, f"/users/{row.id}", "user", f"{row.email} · {words(row.role.value)}")
            for row in rows
        ]

    async def views(self, text: str, shown: int) -> list[Hit]:
        service = SavedViewService(self.session, self.actor)
        rows = (await service.list_slice(SavedViewQuery(q=text), None, shown)).items
        return [
            Hit(
                row.name,
                href_of(row),
                "bookmark",
                _("%(resource)s of %(user)s", resource=row.resource.value, user=row.user.full_name),
            )
            for row in rows
        ]


def get_finder(agents: AgentServiceDep) -> Finder:
    return Finder(agents)


FinderDep = Annotated[Finder, Depends(get_finder)]
