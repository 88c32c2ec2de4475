"""Changes of many rows, tried dry as everyone tries them."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import BulkChange
from app.schemas.bulk_changes import BulkChangeCreate
from app.services.bulk_changes import BulkChangeService


async def make_bulk_change(session: AsyncSession, actor: Actor, **values: Any) -> BulkChange:
    """A dry run that pauses the agents of ``ids``; ``values`` say otherwise."""
    data = {"resource": "agents", "action": "pause"} | values
    return await BulkChangeService(session, actor).create(BulkChangeCreate.model_validate(data))
