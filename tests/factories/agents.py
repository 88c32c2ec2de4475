"""Agents, made by the service as everyone makes them."""

from secrets import token_hex
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import Agent
from app.schemas.agents import AgentStaffCreate
from app.services.agents import AgentService


async def make_agent(session: AsyncSession, actor: Actor, **values: Any) -> Agent:
    data = {"name": f"agent-{token_hex(4)}", "model": "gpt-4o", "system_prompt": "Be kind."}
    return await AgentService(session, actor).create(AgentStaffCreate.model_validate(data | values))
