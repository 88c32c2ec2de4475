"""Headers with secrets that tools of kind http are called with: written, used, never shown."""

import json

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer

from app.core.actor import Actor
from app.core.config import Settings
from app.core.keys import SecretBox
from app.core.texts import lazy
from app.exceptions import Conflict, Invalid
from app.models import Tool
from app.models.base import JsonObject
from app.schemas.tools import ToolHeaders
from app.services.tools import ToolService, same_origin

UNREADABLE = (
    "The headers of the tool {name} cannot be read any more, because SECRET_KEY was changed. "
    "Enter them again."
)


class ToolHeaderService:
    """The values are encrypted at rest, as the secrets of second factors are."""

    resource = "tools"

    def __init__(self, session: AsyncSession, actor: Actor, settings: Settings) -> None:
        self.session = session
        self.tools = ToolService(session, actor, settings)
        self._box = SecretBox(settings, "tool-headers")

    async def replace(self, tool_id: int, data: ToolHeaders, version: int | None = None) -> Tool:
        """Send these headers from now on, and no others.

        Raise ``Invalid`` for a tool without an endpoint, ``StaleVersion`` when ``version`` is old.
        """
        self.tools.require(self.tools.writable)
        tool = await self.tools.get(tool_id, lock=True)
        self.tools.check_version(tool, version)
        if tool.endpoint is None:
            raise Invalid(lazy("Give the tool an endpoint first: headers are sent there."))
        values = {name: value.get_secret_value() for name, value in data.headers.items()}
        await self.session.refresh(tool, ["sealed_headers"])  # the audit compares old and new
        tool.header_names = sorted(values)
        tool.sealed_headers = self._box.seal(json.dumps(values)) if values else None
        await self.tools.save("set_headers", tool)
        return tool

    async def for_call(self, tool_id: int, endpoint: JsonObject) -> dict[str, str]:
        """What to send to ``endpoint``, as an agent's revision names it.

        Nothing where the tool has moved to another server since, or is gone. Raise ``Conflict``
        when the values cannot be decrypted.
        """
        statement = select(Tool).where(Tool.id == tool_id).options(undefer(Tool.sealed_headers))
        tool = await self.session.scalar(statement)
        if tool is None or tool.sealed_headers is None:
            return {}
        if not same_origin(tool.endpoint, endpoint):
            return {}
        opened = self._box.open(tool.sealed_headers)
        if opened is None:
            raise Conflict(UNREADABLE.format(name=tool.name))
        values: dict[str, str] = json.loads(opened)
        return values
