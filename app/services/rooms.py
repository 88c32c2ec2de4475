"""Which rooms there are, and who may enter them: those who may see what is announced there."""

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import Permission
from app.core.texts import lazy
from app.exceptions import NotFound
from app.schemas.base import MAX_BIGINT
from app.services.agents import AgentService
from app.services.base import BaseService
from app.services.executions import ExecutionService
from app.services.ingest_batches import IngestBatchService
from app.services.jobs import JobService
from app.services.tools import ToolService

LiveService = type[BaseService[Any, Any, Any]]  # of any rows
LIVE: tuple[LiveService, ...] = (
    AgentService,
    ExecutionService,
    JobService,
    ToolService,
    IngestBatchService,
)
# ``agents`` hears of every agent, ``agent:7`` of one.
LISTS: dict[str, LiveService] = {service.resource: service for service in LIVE}
ROWS: dict[str, LiveService] = {service.noun: service for service in LIVE}
# Where clients talk to each other: a runtime with the page that watches it.
SPOKEN = frozenset({"agent", "execution"})
# ``presence:agent:7``: being there is being seen there.
PRESENCE = "presence:"
SEEN_ON = frozenset({"agent"})
ROW_ROOM = re.compile(r"([a-z_]+):([1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class Room:
    """A room that someone may enter; ``speaking`` is what it takes to say something there."""

    name: str
    speaking: Permission | None = None
    shows_presence: bool = False


class RoomService:
    """Decides at the door; who is in hears until the credential that opened the door ends."""

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor

    async def enter(self, name: str) -> Room:
        """Raise ``Forbidden`` without the permission to read what the room is about.

        Raise ``NotFound`` for a row that is someone else's exactly as for a room that is none.
        """
        if name in LISTS:
            return self._list(name)
        if name.startswith(PRESENCE):
            return await self._presence(name)
        service, row_id = self._row(name)
        await self._see(service, row_id)
        spoken = service.noun in SPOKEN
        return Room(name, speaking=service.writable if spoken else None)

    def _list(self, name: str) -> Room:
        """What happens to every row is for those who see every row."""
        self.actor.require(LISTS[name].readable)
        if not self.actor.sees_all_rows or self.actor.only_agent_id is not None:
            raise no_such_room()
        return Room(name)

    async def _presence(self, name: str) -> Room:
        """For people of the back office alone: they are named to each other."""
        self.actor.require(Permission.BACK_OFFICE)
        service, row_id = self._row(name.removeprefix(PRESENCE))
        if service.noun not in SEEN_ON or self.actor.user_id is None:
            raise no_such_room()
        await self._see(service, row_id)
        return Room(name, shows_presence=True)

    @staticmethod
    def _row(name: str) -> tuple[LiveService, int]:
        match = ROW_ROOM.fullmatch(name)
        if match is None or match[1] not in ROWS or int(match[2]) > MAX_BIGINT:
            raise no_such_room()
        return ROWS[match[1]], int(match[2])

    async def _see(self, service: LiveService, row_id: int) -> None:
        self.actor.require(service.readable)
        if await service(self.session, self.actor).find(row_id) is None:
            raise no_such_room()


def no_such_room() -> NotFound:
    return NotFound(lazy("There is no such room."))
