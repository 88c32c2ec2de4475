"""What an audit event hashes to, also where a person's data was erased in it since."""

import hashlib
import hmac
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import AuditErasure, AuditEvent
from app.services.audit_events import as_json

SEAL_KEY = "audit-seal"  # what the keys are for that sign seals and erasures
COLUMNS = sorted(column.key for column in AuditEvent.__table__.columns)


def values_of(event: AuditEvent) -> dict[str, Any]:  # JSON values
    return {name: as_json(getattr(event, name)) for name in COLUMNS}


def digest_of(values: Mapping[str, Any]) -> bytes:
    """SHA-256 of every column, as JSON with sorted keys: the same whenever it is read."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).digest()


def erasure_signature(key: bytes, event_id: int, digest: bytes, erased: bytes) -> bytes:
    return hmac.digest(key, b"erasure" + event_id.to_bytes(8, "big") + digest + erased, "sha256")


class SealedDigests:
    """Digests as they were sealed. An erased event has to be what its erasure left of it."""

    def __init__(self, session: AsyncSession, keys: Mapping[str, bytes]) -> None:
        self.session = session
        self._keys = keys
        self.erased = 0

    async def of(self, events: Sequence[AuditEvent]) -> list[bytes]:
        erasures: dict[int, list[AuditErasure]] = defaultdict(list)
        ids = [event.id for event in events]
        statement = select(AuditErasure).where(AuditErasure.event_id.in_(ids))
        for erasure in await self.session.scalars(statement.order_by(AuditErasure.id.desc())):
            erasures[erasure.event_id].append(erasure)
        return [self._sealed(event, erasures.get(event.id, [])) for event in events]

    def _sealed(self, event: AuditEvent, erasures: Sequence[AuditErasure]) -> bytes:
        """From what it is now back to what was sealed, erasure by erasure."""
        digest = digest_of(values_of(event))
        for erasure in erasures:
            if digest != erasure.erased_digest or not self._is_ours(erasure):
                return digest
            digest = erasure.digest
        self.erased += bool(erasures)
        return digest

    def _is_ours(self, erasure: AuditErasure) -> bool:
        """One that was signed with a key that is gone counts, as seals of that time do."""
        key = self._keys.get(erasure.key_id)
        if key is None:
            return True
        ours = erasure_signature(key, erasure.event_id, erasure.digest, erasure.erased_digest)
        return hmac.compare_digest(ours, erasure.signature)
