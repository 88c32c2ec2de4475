"""Tools, made by the service as everyone makes them."""

from secrets import token_hex
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import Tool
from app.schemas.tools import ToolCreate
from app.services.tools import ToolService

PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}


async def make_tool(session: AsyncSession, actor: Actor, **values: Any) -> Tool:
    data = {"name": f"tool-{token_hex(4)}", "description": "Looks it up.", "parameters": PARAMETERS}
    return await ToolService(session, actor).create(ToolCreate.model_validate(data | values))
