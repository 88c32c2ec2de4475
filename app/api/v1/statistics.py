"""Sums over runs over JSON."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from app.api.deps import requires
from app.api.reporting import StatisticsServiceDep
from app.api.strict_json import StrictRoute
from app.api.v1.pages import LIST_ERRORS
from app.core.permissions import Permission
from app.schemas.statistics import FiguresRead, GroupRead, StatisticsQuery, StatisticsRead
from app.services.time_windows import Window

router = APIRouter(prefix="/stats", tags=["statistics"], route_class=StrictRoute)
READ = [requires(Permission.EXECUTIONS_READ)]


@router.get("/executions", response_model=StatisticsRead, dependencies=READ, responses=LIST_ERRORS)
async def get_statistics(
    query: Annotated[StatisticsQuery, Query()], statistics: StatisticsServiceDep
) -> StatisticsRead:
    """Runs, failures, tokens, cost and latencies of the runs you may see, in all and by group."""
    window = Window.of(query)
    total = await statistics.figures(window, query.agent_id)
    groups = await statistics.groups(window, query.group_by, query.agent_id)
    return StatisticsRead(
        since=window.since,
        until=window.until,
        group_by=query.group_by,
        latencies_are_exact=await statistics.is_exact(window, query.agent_id),
        total=FiguresRead(**asdict(total)),
        groups=[
            GroupRead(key=group.key, agent_id=group.agent_id, **asdict(group.figures))
            for group in groups
        ],
    )
