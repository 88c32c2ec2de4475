"""Whose rows a list shows, by name."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import User
from app.services.base import BaseService

MAX_OWNERS = 100


async def owners_in(service: BaseService[Any, Any, Any]) -> list[tuple[int, str]]:
    """Ids and names of the people who own rows that this actor sees."""
    owning = service.visible().with_only_columns(service.model.user_id)
    statement = select(User.id, User.full_name).where(User.id.in_(owning))
    rows = await service.session.execute(
        statement.order_by(User.full_name, User.id).limit(MAX_OWNERS)
    )
    return [(row[0], row[1]) for row in rows]


async def names_of(session: AsyncSession, user_ids: Iterable[int]) -> dict[int, str]:
    """What these people are called."""
    statement = select(User.id, User.full_name).where(User.id.in_(set(user_ids)))
    return {row[0]: row[1] for row in await session.execute(statement)}
