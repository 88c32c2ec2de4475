"""What open sockets came in by, looked up again and again: for all of them at once.

Twice a second, and as soon as a change of keys or people is heard of.
"""

import asyncio
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, LargeBinary, any_, bindparam, or_, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.actor import Actor
from app.core.background import Background
from app.core.config import Settings
from app.core.database import Database
from app.core.permissions import ROLE_PERMISSIONS, Permission, Role
from app.core.remembered import KEY_TABLES
from app.core.rooms import Ending, Member
from app.models import InstanceSettings, RefreshToken, StaffSession, User
from app.services.api_keys import is_within, live_keys
from app.services.staff_sessions import is_alive

log = structlog.get_logger("greenroom.credentials")
LOOK_EVERY_S = 0.5
TOGETHER_S = 0.02
TRUSTED_FOR_S = 5.0
OVER = Ending(4401, "The login or key of this socket is over, or may do something else now.")
UNSURE = Ending(1013, "Nobody can tell whether your login is still good. Try again.")


class Kind(StrEnum):
    SESSION = "session"
    KEY = "key"
    FAMILY = "family"


@dataclass(frozen=True, slots=True)
class Credential:
    """By ``mark`` it is found again: the hash of a cookie's or key's secret, or a family's id."""

    kind: Kind
    mark: bytes
    ip: str | None = None
    # Seconds since 1970, where what was shown says so itself.
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Rights:
    """What someone may do by a credential at a moment."""

    role: Role
    permissions: frozenset[Permission]

    @classmethod
    def of(cls, actor: Actor) -> "Rights":
        return cls(actor.role, actor.permissions)

    @classmethod
    def of_role(cls, role: Role) -> "Rights":
        return cls(role, ROLE_PERMISSIONS[role])


Found = dict[bytes, Rights]
PERSON_IS_IN = (User.is_active, User.deleted_at.is_(None))


def marks(credentials: Iterable[Credential], kind: Kind) -> set[bytes]:
    return {credential.mark for credential in credentials if credential.kind is kind}


async def sessions(connection: AsyncConnection, found: set[bytes], settings: Settings) -> Found:
    """As ``StaffSessionService.recognise`` and the door of the API decide, for many."""
    required = select(InstanceSettings.require_second_factor).scalar_subquery()
    enrolled: ColumnElement[bool] = or_(~required, User.totp_confirmed_at.is_not(None))
    statement = (
        select(StaffSession.token_sha256, User.role)
        .join(User, User.id == StaffSession.user_id)
        .where(StaffSession.token_sha256 == any_(bindparam("found", type_=ARRAY(LargeBinary))))
        .where(*is_alive(settings), *PERSON_IS_IN)
        .where(User.role != Role.MEMBER, enrolled)
    )
    rows = await connection.execute(statement, {"found": list(found)})
    return {mark: Rights.of_role(role) for mark, role in rows}


async def families(connection: AsyncConnection, found: set[bytes]) -> Found:
    """As ``RefreshTokenService.recognise`` decides, for many."""
    statement = (
        select(RefreshToken.family_id, User.role)
        .join(User, User.id == RefreshToken.user_id)
        .where(RefreshToken.family_id == any_(bindparam("found", type_=ARRAY(PG_UUID))))
        .where(RefreshToken.revoked_at.is_(None), *PERSON_IS_IN)
    )
    rows = await connection.execute(statement, {"found": [UUID(bytes=mark) for mark in found]})
    return {family.bytes: Rights.of_role(role) for family, role in rows}


async def rights_of(
    connection: AsyncConnection, credentials: Collection[Credential], settings: Settings
) -> dict[Credential, Rights]:
    """What each of them may do now; those that are over are missing."""
    by_kind = {kind: marks(credentials, kind) for kind in Kind}
    found: dict[Kind, Found] = {}
    if by_kind[Kind.SESSION]:
        found[Kind.SESSION] = await sessions(connection, by_kind[Kind.SESSION], settings)
    if by_kind[Kind.FAMILY]:
        found[Kind.FAMILY] = await families(connection, by_kind[Kind.FAMILY])
    keys = await live_keys(connection, by_kind[Kind.KEY]) if by_kind[Kind.KEY] else {}
    found[Kind.KEY] = {
        mark: Rights.of(key.actor(None, None)) for mark, key in keys.items() if not key.is_paused
    }
    now = time.time()
    return {
        credential: rights
        for credential in credentials
        if (rights := found.get(credential.kind, {}).get(credential.mark)) is not None
        and (credential.expires_at is None or now < credential.expires_at)
        and (
            credential.kind is not Kind.KEY
            or is_within(credential.ip, keys[credential.mark].allowed_cidrs)
        )
    }


class CredentialWatch(Background):
    """Hangs up on sockets whose credential is over, or gives other rights than it did."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._watched: dict[Member, tuple[Credential, Rights]] = {}
        self._wake = asyncio.Event()
        database.memories.tell(self._changed)

    def _changed(self, tables: Collection[str]) -> None:
        if not KEY_TABLES.isdisjoint(tables):
            self._wake.set()

    def add(self, member: Member, credential: Credential, actor: Actor) -> None:
        self._watched[member] = (credential, Rights.of(actor))

    def remove(self, member: Member) -> None:
        self._watched.pop(member, None)

    async def _work(self) -> None:
        sure_at = time.monotonic()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._wake.wait()
                await asyncio.sleep(TOGETHER_S)
            self._wake.clear()
            try:
                async with asyncio.timeout(TRUSTED_FOR_S):
                    await self._look()
                sure_at = time.monotonic()
            except Exception as error:  # noqa: BLE001  (the next look may well succeed)
                log.warning("credentials were not looked up", error=type(error).__name__)
                if time.monotonic() - sure_at > TRUSTED_FOR_S:
                    self._end_all()

    async def _look(self) -> None:
        watched = dict(self._watched)
        if not watched:
            return
        asked = {credential for credential, _ in watched.values()}
        async with self._database.reading() as connection:
            found = await rights_of(connection, asked, self._settings)
        for member, (credential, rights) in watched.items():
            if found.get(credential) != rights:
                member.end(OVER)

    def _end_all(self) -> None:
        for member in self._watched:
            member.end(UNSURE)
