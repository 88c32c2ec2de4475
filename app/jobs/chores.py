"""Short work by the clock; each is safe to do twice, or not at all for a while."""

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from app.jobs.context import SYSTEM, Resources
from app.services.audit_seals import AuditSealService
from app.services.config_pulls import ConfigPullService
from app.services.execution_stats import ExecutionStatsService
from app.services.ingestion.gathering import RUNS_AT_ONCE, WordService
from app.services.job_attempts import JobAttemptService
from app.services.live_events import LiveEventService
from app.services.retention_rules import BATCHES, Rule
from app.services.retention_work import RetentionWork
from app.services.storage_sizes import StorageSizeService
from app.services.tool_call_counts import ToolCallCountService
from app.services.upkeep import AT_ONCE, UpkeepService
from app.services.webhook_attempts import WebhookUpkeepService

SUMS_FOR_S = 40.0
Some = Callable[[AsyncSession], Awaitable[int]]


async def all_of(resources: Resources, at_once: int, some: Some) -> None:
    """In bounded steps, each in a transaction of its own, until one does less than it may."""
    done = at_once
    while done >= at_once:
        async with resources.database.unit_of_work() as session:
            done = await some(session)


async def remove_old(resources: Resources, rule: Rule) -> None:
    await all_of(
        resources,
        rule.at_once,
        lambda session: RetentionWork(session, SYSTEM, resources.settings).remove(rule),
    )


async def seal_audit_log(resources: Resources) -> None:
    async with resources.database.unit_of_work() as session:
        await AuditSealService(session, resources.settings).seal()


async def requeue_lost_jobs(resources: Resources) -> None:
    async with resources.database.unit_of_work() as session:
        await JobAttemptService(session, SYSTEM).requeue_lost()


async def remove_expired(resources: Resources) -> None:
    await all_of(
        resources, AT_ONCE, lambda session: UpkeepService(session, SYSTEM).remove_expired()
    )
    async with resources.database.unit_of_work() as session:
        await UpkeepService(session, SYSTEM).prune_queue()


async def make_partitions(resources: Resources) -> None:
    async with resources.database.unit_of_work() as session:
        await UpkeepService(session, SYSTEM).make_partitions()


async def mark_stalled_runs(resources: Resources) -> None:
    after = timedelta(minutes=resources.settings.execution_stalled_minutes)
    async with resources.database.unit_of_work() as session:
        await UpkeepService(session, SYSTEM).mark_stalled(after)


async def gather_words(resources: Resources) -> None:
    """Until none wait, so that what arrived is found within seconds."""
    await all_of(resources, RUNS_AT_ONCE, lambda session: WordService(session, SYSTEM).gather())


async def drop_empty_drafts(resources: Resources) -> None:
    async with resources.database.unit_of_work() as session:
        await UpkeepService(session, SYSTEM).drop_empty_drafts()


async def remove_ingest_batches(resources: Resources) -> None:
    await remove_old(resources, BATCHES)
    kept = timedelta(days=resources.settings.ingest_batches_kept_days)
    await all_of(
        resources, AT_ONCE, lambda session: UpkeepService(session, SYSTEM).remove_logs(kept)
    )


async def prune_live_events(resources: Resources) -> None:
    async with resources.database.unit_of_work() as session:
        await LiveEventService(session, SYSTEM).prune()


async def settle_webhooks(resources: Resources) -> None:
    async with resources.database.unit_of_work() as session:
        await WebhookUpkeepService(session, SYSTEM).settle()


async def prune_config_pulls(resources: Resources) -> None:
    async with resources.database.unit_of_work() as session:
        await ConfigPullService(session, SYSTEM).prune()


async def prune_tool_calls(resources: Resources) -> None:
    async with resources.database.unit_of_work() as session:
        await ToolCallCountService(session, SYSTEM).prune()


async def measure_storage(resources: Resources) -> None:
    async with resources.database.unit_of_work() as session:
        await StorageSizeService(session, SYSTEM).measure()


async def sum_runs_by_hour(resources: Resources) -> None:
    """A few hours in each transaction, until there are none left or it is nearly time again."""
    async with resources.database.unit_of_work() as session:
        await ExecutionStatsService(session).keep_one_mark()
    ends, summed = time.monotonic() + SUMS_FOR_S, 1
    while summed and time.monotonic() < ends:
        async with resources.database.unit_of_work() as session:
            summed = await ExecutionStatsService(session).sum_changed()
