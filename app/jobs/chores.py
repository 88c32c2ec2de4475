"""Short work by the clock; each is safe to do twice, or not at all for a while."""

from app.jobs.context import SYSTEM, Resources
from app.services.audit_seals import AuditSealService
from app.services.job_attempts import JobAttemptService
from app.services.live_events import LiveEventService


async def seal_audit_log(resources: Resources) -> None:
    async with resources.database.unit_of_work() as session:
        await AuditSealService(session, resources.settings).seal()


async def requeue_lost_jobs(resources: Resources) -> None:
    async with resources.database.unit_of_work() as session:
        await JobAttemptService(session, SYSTEM).requeue_lost()


async def prune_live_events(resources: Resources) -> None:
    async with resources.database.unit_of_work() as session:
        await LiveEventService(session, SYSTEM).prune()
