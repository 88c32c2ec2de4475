"""The hash chain over the audit log, made in the background so that no writer ever queues.

Each seal holds the ids of the events it covers, SHA-256 over the seal before and those events,
and a signature: an HMAC under a key that the database does not hold. Whoever can write the tables
can therefore change neither an event nor the chain without being found out.
"""

import hashlib
import hmac
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.database import database_now
from app.core.keys import key_id, key_ring
from app.models import AuditEvent, AuditSeal
from app.services.audit_digests import SEAL_KEY, SealedDigests
from app.services.audit_events import AuditEventService

BATCH = 1000
# No transaction stays open so long: an event older than this was visible to every later sealing.
SETTLED_AFTER = timedelta(minutes=10)
UNSEALED_ALARM = timedelta(minutes=15)
SEALING_LOCK = 7_302_412  # any number, but the same in every process
SHOWN_IDS = 20
FIRST_LINK = bytes(32)


def link(previous: bytes, sealed_at: datetime, digests: Iterable[bytes]) -> bytes:
    """The next value of the chain: SHA-256 over the one before, the time and the events' digests.

    The time belongs to it because it decides how old an event may be and still be sealed.
    """
    digest = hashlib.sha256(previous)
    digest.update(sealed_at.astimezone(UTC).isoformat(timespec="microseconds").encode())
    for each in digests:
        digest.update(each)
    return digest.digest()


@dataclass(slots=True)
class Verification:
    """What was found; no problems means that every event is as it was sealed."""

    events: int = 0
    seals: int = 0
    signed: int = 0  # seals whose signature is ours
    erased: int = 0  # events in which a person's data was erased
    head: str = ""
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SealState:
    """How far the chain reaches, for the page."""

    last_event_id: int | None
    sealed_at: datetime | None
    oldest_unsealed_at: datetime | None
    is_late: bool


def not_sealed_since(horizon: datetime) -> ColumnElement[bool]:
    """Whether an event is in none of the seals made from then on."""
    held = select(func.unnest(AuditSeal.event_ids).label("id"))
    sealed = held.where(AuditSeal.sealed_at >= horizon).subquery()
    return ~select(1).where(sealed.c.id == AuditEvent.id).exists()


class AuditSealService:
    def __init__(self, session: AsyncSession, settings: Settings) -> None:
        self.session = session
        self._ring = key_ring(settings, SEAL_KEY)
        self._keys = {key_id(key): key for key in self._ring}

    # Sealing

    async def seal(self) -> int:
        """Seal what is committed and not sealed yet; how many events. One process at a time."""
        locked = select(func.pg_try_advisory_xact_lock(SEALING_LOCK))
        if not await self.session.scalar(locked):
            return 0
        last = await self._last()
        previous, sealed = last.chain_sha256 if last else FIRST_LINK, 0
        async for events in self._unsealed(last):
            previous = await self._add(previous, events)
            sealed += len(events)
        return sealed

    async def _last(self) -> AuditSeal | None:
        statement = select(AuditSeal).order_by(AuditSeal.id.desc()).limit(1)
        last: AuditSeal | None = await self.session.scalar(statement)
        return last

    async def _unsealed(self, last: AuditSeal | None) -> AsyncIterator[list[AuditEvent]]:
        """Batches by id. Ids commit out of order, so those of the last minutes are compared."""
        horizon = last.sealed_at - SETTLED_AFTER if last else None
        statement = select(AuditEvent).order_by(AuditEvent.id).limit(BATCH)
        after = 0
        if horizon is not None:
            # Left to the database: there may be thousands of them, and only a few new ones.
            statement = statement.where(AuditEvent.at >= horizon, not_sealed_since(horizon))
            first = select(func.min(AuditEvent.id)).where(AuditEvent.at >= horizon)
            after = (await self.session.scalar(first) or 1) - 1
        while True:
            events = list(await self.session.scalars(statement.where(AuditEvent.id > after)))
            if events:
                yield events
            if len(events) < BATCH:
                return
            after = events[-1].id
            self.session.expunge_all()  # a first sealing may read millions

    async def _add(self, previous: bytes, events: Sequence[AuditEvent]) -> bytes:
        sealed_at, key = await database_now(self.session), self._ring[0]
        digests = await SealedDigests(self.session, self._keys).of(events)
        chain = link(previous, sealed_at, digests)
        seal = AuditSeal(
            sealed_at=sealed_at,
            event_ids=[event.id for event in events],
            chain_sha256=chain,
            signature=hmac.digest(key, chain, hashlib.sha256),
            key_id=key_id(key),
        )
        self.session.add(seal)
        await self.session.flush()
        return chain

    async def state(self) -> SealState:
        last = await self._last()
        waiting = select(AuditEvent.at)
        if last is not None:
            horizon = last.sealed_at - SETTLED_AFTER
            waiting = waiting.where(AuditEvent.at >= horizon, not_sealed_since(horizon))
        oldest = await self.session.scalar(waiting.order_by(AuditEvent.at).limit(1))
        now = await database_now(self.session)
        return SealState(
            last_event_id=max(last.event_ids) if last else None,
            sealed_at=last.sealed_at if last else None,
            oldest_unsealed_at=oldest,
            is_late=oldest is not None and now - oldest > timedelta(minutes=1),
        )

    # Verifying

    async def verify(self) -> Verification:
        """Recompute the chain from its first seal, one seal in memory at a time."""
        found = Verification()
        await self.session.execute(text("SET LOCAL statement_timeout = 0"))
        previous, after = FIRST_LINK, 0
        while True:
            statement = select(AuditSeal).where(AuditSeal.id > after).order_by(AuditSeal.id)
            seal = await self.session.scalar(statement.limit(1))
            if seal is None:
                break
            await self._check(seal, previous, found)
            previous, after = seal.chain_sha256, seal.id
            self.session.expunge_all()
        found.head = previous.hex()
        if found.seals and not found.signed:
            found.problems.append("no seal is signed with a configured key: whose chain is this?")
        await self._find_unsealed(found)
        return found

    async def _check(self, seal: AuditSeal, previous: bytes, found: Verification) -> None:
        statement = select(AuditEvent).where(AuditEvent.id.in_(seal.event_ids))
        events = list(await self.session.scalars(statement.order_by(AuditEvent.id)))
        found.seals += 1
        found.events += len(events)
        missing = set(seal.event_ids) - {event.id for event in events}
        ids = seal.event_ids or [0]  # an empty seal is none of ours, and its chain is wrong
        span = f"seal {seal.id} (events {min(ids)} to {max(ids)})"
        digests = SealedDigests(self.session, self._keys)
        sealed = await digests.of(events)
        found.erased += digests.erased
        if missing:
            found.problems.append(f"{span}: events are gone: {listed(missing)}")
        elif link(previous, seal.sealed_at, sealed) != seal.chain_sha256:
            changed = "it or one of its events was changed, or a seal before it is gone"
            found.problems.append(f"{span}: {changed}")
        self._check_signature(seal, span, self._keys, found)

    @staticmethod
    def _check_signature(
        seal: AuditSeal, span: str, keys: dict[str, bytes], found: Verification
    ) -> None:
        key = keys.get(seal.key_id)
        if key is None and found.signed:
            # Secrets are retired oldest first: behind a key in use, an unknown one is forged.
            found.problems.append(f"{span}: its key is not ours, though one before it is")
        elif key is None:
            found.warnings.append(f"{span}: signed with a key that is no longer configured")
        elif hmac.compare_digest(
            hmac.digest(key, seal.chain_sha256, hashlib.sha256), seal.signature
        ):
            found.signed += 1
        else:
            found.problems.append(f"{span}: the signature is not ours")

    async def _find_unsealed(self, found: Verification) -> None:
        """An old event that no seal holds was slipped in, or the seal that held it is gone."""
        sealed = select(func.unnest(AuditSeal.event_ids).label("id")).cte("sealed")
        statement = (
            select(AuditEvent.id)
            .outerjoin(sealed, sealed.c.id == AuditEvent.id)
            .where(
                sealed.c.id.is_(None),
                AuditEvent.at < func.clock_timestamp() - UNSEALED_ALARM,
            )
            .order_by(AuditEvent.id)
            .limit(SHOWN_IDS + 1)
        )
        ids = set(await self.session.scalars(statement))
        if ids:
            found.problems.append(f"events that no seal holds: {listed(ids)}")


def listed(ids: set[int]) -> str:
    shown = ", ".join(map(str, sorted(ids)[:SHOWN_IDS]))
    return shown if len(ids) <= SHOWN_IDS else f"{shown} and more"


def note_verification(audit: AuditEventService, found: Verification) -> None:
    """When the chain was last read through, and what was found, is itself on record."""
    told = {"seals": [None, found.seals], "problems": [None, len(found.problems)]}
    audit.record("verify", "audit_seals", None, told)
