"""What is done in the background, beside the requests."""

import asyncio

import structlog

from app.core.config import Settings
from app.core.database import Database
from app.services.audit_seals import AuditSealService

log = structlog.get_logger("greenroom.upkeep")


async def seal_audit_log(database: Database, settings: Settings) -> None:
    """For ever, every few seconds; what goes wrong is logged and tried again."""
    while True:
        await asyncio.sleep(settings.audit_seal_seconds)
        try:
            async with database.unit_of_work() as session:
                await AuditSealService(session, settings).seal()
        except Exception:  # the next round may well succeed
            log.exception("the audit log was not sealed")
