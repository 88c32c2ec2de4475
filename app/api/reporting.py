"""Sums over many runs, from the read replica while there is one that keeps up."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.deps import asking
from app.services.statistics import StatisticsService


def reporting(request: Request, own: AsyncSession) -> AbstractAsyncContextManager[AsyncSession]:
    """A session of the read replica while it keeps up, else the request's ``own``."""
    replica = request.app.state.read_replica
    return replica.session() if replica and replica.keeps_up else nullcontext(own)


async def get_statistics(request: Request) -> AsyncIterator[StatisticsService]:
    """As ``service``, for sums, which may be some seconds old."""
    session, actor = asking(request)
    async with reporting(request, session) as chosen:
        yield StatisticsService(chosen, actor)


StatisticsServiceDep = Annotated[StatisticsService, Depends(get_statistics, scope="function")]
