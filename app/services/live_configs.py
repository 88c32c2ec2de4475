"""What runtimes pull, often and seldom changed: asked for together, rendered once."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from app.core.actor import Actor
from app.core.cache import Recent
from app.core.database import Database
from app.core.remembered import CONFIG_TABLES, Remembered, always
from app.core.texts import lazy
from app.exceptions import NotFound
from app.models import AgentRevision
from app.schemas.agents import AgentConfig, action_for
from app.services.agents import AgentService, NamedAgent, only_one

MAX_RENDERED = 500
# Whoever pulls has a key; we know only its hash.
KEY_HEADER = "X-API-Key=YOUR_KEY"


@dataclass(frozen=True, slots=True)
class Ask:
    """Who asks for the agent of which name; equal asks have equal answers."""

    actor: Actor
    name: str


@dataclass(frozen=True, slots=True)
class LiveConfig:
    """What a runtime is told, as JSON, and the tag that changes whenever it does."""

    etag: str
    body: bytes
    agent_id: int
    revision: int


@dataclass(frozen=True, slots=True)
class Shown:
    """All that the rendered JSON follows from; a revision's content never changes."""

    agent: NamedAgent
    origin: str


Rendered = Recent[Shown, bytes]


class LiveConfigService:
    """Reads in statements of its own, so that many who ask at once share one.

    ``origin`` is where runtimes find this server.
    """

    def __init__(self, database: Database, actor: Actor, origin: str, rendered: Rendered) -> None:
        self.database = database
        self.actor = actor
        self._origin = origin
        self._rendered = rendered

    async def pull(self, name: str) -> LiveConfig:
        """The live revision of the agent of that name; one's own comes first.

        Raise ``NotFound``, and ``Conflict`` when the name says not which agent.
        """
        self.actor.require(AgentService.readable)  # here, or it would refuse whoever asks along
        ask = self._ask(name)
        known, key = known_configs(self.database), (ask, self._origin)
        live = known.get(key) or await known.read(key, lambda: self._read(ask, name), always)
        if live is None:
            raise NotFound(lazy("There is no agent called %(name)s.", name=name))
        return live

    def remembered(self, name: str) -> LiveConfig | None:
        """What ``pull`` would answer without looking anything up, if it is known."""
        if not self.actor.may(AgentService.readable):
            return None
        return known_configs(self.database).get((self._ask(name), self._origin))

    def _ask(self, name: str) -> Ask:
        return Ask(replace(self.actor, request_id=None, ip=None), name.lower())

    async def _read(self, ask: Ask, name: str) -> LiveConfig:
        agents = await self.database.read_together(live_agents, ask) or []
        own = [agent for agent in agents if agent.user_id == self.actor.user_id]
        agent = only_one(name, own or agents)
        if agent.live_revision_id is None:
            raise NotFound(lazy("The agent %(agent)s has no live revision.", agent=agent.name))
        return LiveConfig(etag_of(agent), await self._body(agent), agent.id, agent.number or 0)

    async def _body(self, agent: NamedAgent) -> bytes:
        shown = Shown(agent, self._origin)
        body = self._rendered.get(shown)
        if body is None:
            body = render(shown, await self._snapshot(agent))
            self._rendered.put(shown, body)
        return body

    async def _snapshot(self, agent: NamedAgent) -> dict[str, Any]:
        statement = select(AgentRevision.snapshot).where(AgentRevision.id == agent.live_revision_id)
        async with self.database.reading() as connection:
            return (await connection.execute(statement)).scalar_one()


def known_configs(database: Database) -> Remembered[tuple[Ask, str], LiveConfig]:
    return database.memories.of("configs", CONFIG_TABLES, MAX_RENDERED)


def etag_of(agent: NamedAgent) -> str:
    """The revision, and what a pause lays over it."""
    state = "a" if agent.is_active else "p"
    ids = ",".join(map(str, agent.paused_tools))
    tools = f"-{hashlib.sha256(ids.encode()).hexdigest()[:12]}" if ids else ""
    return f'"{(agent.content_sha256 or b"").hex()[:32]}-{agent.number}{state}{tools}"'


def render(shown: Shown, snapshot: dict[str, Any]) -> bytes:
    agent = shown.agent
    tools = snapshot["tools"]
    attributes = f"greenroom.agent.name={agent.name},greenroom.agent.revision={agent.number}"
    config = AgentConfig.model_validate(
        {
            "agent_id": agent.id,
            "name": agent.name,
            "action": action_for(is_active=agent.is_active),
            "revision": agent.number,
            **snapshot,
            # A pause changes no revision: it is laid over what is pulled.
            "tools": [tool for tool in tools if tool["id"] not in agent.paused_tools],
            "paused_tools": [tool["name"] for tool in tools if tool["id"] in agent.paused_tools],
            "otel": {
                "OTEL_EXPORTER_OTLP_ENDPOINT": shown.origin,
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                "OTEL_EXPORTER_OTLP_HEADERS": KEY_HEADER,
                "OTEL_RESOURCE_ATTRIBUTES": attributes,
            },
        }
    )
    return config.model_dump_json(by_alias=True).encode()


async def live_agents(
    connection: AsyncConnection, asks: Collection[Ask]
) -> dict[Ask, Sequence[NamedAgent]]:
    """A few agents of each asked name that the asker may see, in one statement."""
    numbered = dict(enumerate(asks))
    session = AsyncSession(connection)  # of the services that build the statements; never begun
    parts = [
        AgentService(session, ask.actor).named(ask.name).add_columns(literal(number))
        for number, ask in numbered.items()
    ]
    rows = await connection.execute(parts[0] if len(parts) == 1 else union_all(*parts))
    found: dict[Ask, list[NamedAgent]] = {ask: [] for ask in asks}
    for *values, paused_tools, number in rows:
        agent = (*values, tuple(paused_tools or ()))
        found[numbered[number]].append(NamedAgent(*agent))
    return dict(found)
