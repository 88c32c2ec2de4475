"""What pages say of percentiles that were not read from the runs themselves."""

from app.core.texts import lazy
from app.core.wording import number
from app.services.latencies import MOST_OFF_PERCENT
from app.services.statistics import EXACT_UP_TO, StatisticsService
from app.services.time_windows import Window

NOTE = lazy(
    "These are more than %(exact_up_to)s runs, so p50 and p95 are estimates: "
    "at most %(most_off_percent)g %% above or below the true values. All other figures are exact.",
    exact_up_to=number(EXACT_UP_TO),
    most_off_percent=MOST_OFF_PERCENT,
)


async def estimates_note(
    statistics: StatisticsService, window: Window, agent_id: int | None = None
) -> str | None:
    """``None`` where the percentiles are exact."""
    return None if await statistics.is_exact(window, agent_id) else NOTE
