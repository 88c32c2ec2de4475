"""Saved views, made by the service as everyone makes them."""

from secrets import token_hex
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import SavedView
from app.schemas.saved_views import SavedViewCreate
from app.services.saved_views import SavedViewService


async def make_saved_view(session: AsyncSession, actor: Actor, **values: Any) -> SavedView:
    """Failed runs of the last day, unless it is said otherwise."""
    data = {
        "resource": "executions",
        "name": f"view-{token_hex(4)}",
        "filters": {"status": ["failed"], "range": ["24h"]},
    }
    return await SavedViewService(session, actor).create(
        SavedViewCreate.model_validate(data | values)
    )
