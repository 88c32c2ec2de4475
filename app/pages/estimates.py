"""What pages say of percentiles that were not read from the runs themselves."""

from app.services.latencies import MOST_OFF_PERCENT
from app.services.statistics import EXACT_UP_TO, StatisticsService
from app.services.time_windows import Window

NOTE = (
    f"These are more than {EXACT_UP_TO:,} runs, so p50 and p95 are estimates: at most "
    f"{MOST_OFF_PERCENT:g} % above or below the true values. All other figures are exact."
)


async def estimates_note(
    statistics: StatisticsService, window: Window, agent_id: int | None = None
) -> str | None:
    """``None`` where the percentiles are exact."""
    return None if await statistics.is_exact(window, agent_id) else NOTE
