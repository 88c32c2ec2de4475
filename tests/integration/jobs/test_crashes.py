"""Workers killed at every point of a job lose none of them and do none of them twice."""

from app.core.database import Database
from tests.crashes import crash_until_done
from tests.crashing_worker import Point

JOBS_AT_A_TIME, DEATHS = 60, 100


async def test_every_job_is_done_exactly_once_through_100_deaths(own_database: Database) -> None:
    account = await crash_until_done(own_database, JOBS_AT_A_TIME, DEATHS)
    asked = account.summary["asked"]
    assert account.summary == {
        "asked": asked,
        "succeeded": asked,
        "effects": asked,
        "jobs_with_effects": asked,
    }
    assert set(account.deaths) == {str(point) for point in Point}
