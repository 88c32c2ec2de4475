"""What makes restored rows an installation again: migrations, rights, a look at the audit log."""

from dataclasses import dataclass, field
from pathlib import Path

from app.backups.dumping import secret_id
from app.backups.files import Manifest
from app.backups.programs import Tell
from app.backups.restoring import Placed, place
from app.core.actor import Actor, Via
from app.core.config import Settings
from app.core.database import Database
from app.core.migrations import migrate_as_owner
from app.services.audit_events import AuditEventService, Changes
from app.services.audit_seals import AuditSealService, Verification
from app.services.sealed_values import SealedValueService, Unreadable

RESOURCE = "backups"


@dataclass(frozen=True, slots=True)
class Restored:
    """``same_secret`` says whether this SECRET_KEY is the one that the backup was made with."""

    placed: Placed
    audit: Verification
    same_secret: bool
    unreadable: list[Unreadable] = field(default_factory=list)


async def restore_from(
    settings: Settings,
    path: Path,
    jobs: int,
    replace: bool,
    tell: Tell,
) -> Restored:
    """Restore, migrate, check. ``settings`` are those that the installation will have."""
    placed = await place(settings, path, jobs, replace, tell)
    tell("Migrating")
    await migrate_as_owner(settings)
    tell("Checking the audit log")
    async with Database.opened(settings) as database:
        return await checked(database, settings, placed)


async def checked(database: Database, settings: Settings, placed: Placed) -> Restored:
    async with database.unit_of_work() as session:
        audit = await AuditSealService(session, settings).verify()
        unreadable = await SealedValueService(session, settings).unreadable()
        note(AuditEventService(session, Actor.system(Via.CLI)), "restore", placed.manifest)
    same = placed.manifest.key_id == secret_id(settings)
    return Restored(placed, audit, same, unreadable)


async def note_backup(settings: Settings, manifest: Manifest) -> None:
    """Who can read a backup can read everything: that one was made is on record."""
    async with Database.opened(settings) as database, database.unit_of_work() as session:
        note(AuditEventService(session, Actor.system(Via.CLI)), "back_up", manifest)


def note(audit: AuditEventService, action: str, manifest: Manifest) -> None:
    told: Changes = {
        "made_at": [None, manifest.made_at.isoformat()],
        "version": [None, manifest.version],
        "rows": [None, manifest.rows],
    }
    audit.record(action, RESOURCE, None, told)
