"""API keys: made once, recognised by their hash, revoked for good."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

import structlog
from sqlalchemy import (
    Float,
    LargeBinary,
    any_,
    bindparam,
    cast,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import joinedload
from sqlalchemy.sql.base import ExecutableOption

from app.core.actor import Actor, Via
from app.core.database import Database, database_now
from app.core.permissions import ROLE_PERMISSIONS, Permission, Role
from app.core.remembered import KEY_TABLES, Remembered
from app.core.security import new_token, sha256, token_is_well_formed
from app.core.texts import lazy, mark
from app.exceptions import Conflict, Forbidden, Invalid, KeyPaused
from app.models import Agent, ApiKey, Execution, User
from app.models.api_keys import KeyState
from app.models.base import table_of
from app.schemas.api_keys import ApiKeyCreate, ApiKeyQuery, ApiKeyUpdate
from app.services.agents import AgentService
from app.services.executions import ExecutionService
from app.services.key_states import (
    check_expiry,
    ends_soon,
    in_state,
    refuse_rotation,
    successor_of,
    unused_for,
)
from app.services.pausing import PausingService

KEY_PREFIX = "gr"
SHOWN_CHARACTERS = 10
USED_EVERY = timedelta(minutes=1)
DEFAULT_LIFETIME = timedelta(days=90)
# No index leads from a key to its runs, so they are counted among so many of the newest only.
RUNS_LOOKED_AT = 10_000
MAX_OWNERS = 500
PAUSED = "This API key is paused. Stop, and ask again later: it may be resumed."
log = structlog.get_logger("greenroom.api_keys")


class ApiKeyService(PausingService[ApiKey, ApiKeyCreate, ApiKeyUpdate]):
    model = ApiKey
    resource = "api_keys"
    noun = mark("API key")
    readable = Permission.KEYS_READ
    writable = Permission.KEYS_WRITE
    deletable = Permission.KEYS_WRITE
    sorts = ("created_at", "name")
    filters = ("user_id", "agent_id")

    def loads(self) -> Sequence[ExecutableOption]:
        agent = joinedload(ApiKey.agent).load_only(Agent.name, Agent.deleted_at)
        return (joinedload(ApiKey.user), agent)

    def visible(self, *, trashed: bool = False) -> Any:  # as the base's
        """Everyone their own; who manages keys, everyone's."""
        statement = super().visible(trashed=trashed)
        if not self.actor.may(Permission.KEYS_MANAGE):
            statement = statement.where(ApiKey.user_id == self.actor.user_id)
        return statement

    async def issue(self, data: ApiKeyCreate) -> tuple[ApiKey, str]:
        """The stored key and its secret, which is in no other place.

        Raise ``Forbidden`` for scopes that the maker does not hold.
        """
        self.actor.require(self.writable)
        beyond = [scope for scope in data.scopes if not self.actor.may(scope)]
        if beyond:
            raise Forbidden(
                lazy("You cannot give what you do not have: %(beyond)s.", beyond=", ".join(beyond))
            )
        if data.agent_id is not None:
            agent = await AgentService(self.session, self.actor).find(data.agent_id)
            if agent is None:
                raise Invalid(lazy("There is no such agent."), field="agent_id")
        token = new_token(KEY_PREFIX)
        self._token = token
        return await self.create(data), token

    async def rotate(self, key_id: int, overlap: timedelta) -> tuple[ApiKey, str]:
        """A new key like this one, and its secret; the old one works on for ``overlap`` at most.

        Raise ``Forbidden`` for someone else's key: whoever gets the secret acts as its owner.
        Raise ``Conflict`` when the key no longer works or has a successor already.
        """
        self.actor.require(self.writable)
        # Locked, so that of two rotations at once the second finds the successor of the first.
        old, now = await self.get(key_id, lock=True), await database_now(self.session)
        if old.user_id != self.actor.user_id:
            raise Forbidden(lazy("Only its owner can rotate a key."))
        refuse_rotation(old, now)
        fresh, token = await self.issue(successor_of(old, now))
        old.replaced_by_id = fresh.id
        old.expires_at = min(filter(None, (old.expires_at, now + overlap)))
        await self.save("rotate", old)
        return fresh, token

    def matching(self, query: Any) -> Any:  # a PageQuery or ApiKeyQuery, as the base's
        statement = super().matching(query.model_copy(update={"q": None}))
        if query.q:
            named = ApiKey.name.icontains(query.q.strip(), autoescape=True)
            statement = statement.where(or_(named, ApiKey.prefix == query.q[:SHOWN_CHARACTERS]))
        if not isinstance(query, ApiKeyQuery):
            return statement
        if query.unused_days is not None:
            statement = statement.where(*unused_for(query.unused_days))
        return statement if query.state is None else statement.where(in_state(query.state))

    async def count_unused(self, user_id: int | None, days: int) -> int:
        """How many working keys nobody has used for so long: one person's, or everyone's."""
        return await self.count(self.matching(ApiKeyQuery(user_id=user_id, unused_days=days)))

    async def expiring(self, limit: int, agent_id: int | None = None) -> Sequence[ApiKey]:
        """Those that end within a week and have no successor, the first to end first."""
        ending = self.matching(ApiKeyQuery(agent_id=agent_id)).where(*ends_soon())
        ordered = ending.order_by(ApiKey.expires_at, ApiKey.id).limit(limit)
        rows: Sequence[ApiKey] = (await self.session.scalars(ordered.options(*self.loads()))).all()
        return rows

    async def owners(self) -> Sequence[User]:
        """Who has keys, by name: what everyone's keys can be narrowed to."""
        self.actor.require(Permission.KEYS_MANAGE)
        having = select(User).where(User.id.in_(select(ApiKey.user_id)))
        rows = await self.session.scalars(having.order_by(User.full_name).limit(MAX_OWNERS))
        return rows.all()

    async def relatives(self, key: ApiKey) -> Sequence[ApiKey]:
        """The key's successor and the key that it succeeded; rotation keeps the owner."""
        related = or_(ApiKey.id == key.replaced_by_id, ApiKey.replaced_by_id == key.id)
        rows = await self.session.scalars(
            self.visible().where(ApiKey.user_id == key.user_id, related)
        )
        return rows.all()

    async def count_runs(self, key: ApiKey) -> tuple[int, int]:
        """How many runs came in with the key, among how many: ``RUNS_LOOKED_AT`` at most."""
        runs = ExecutionService(self.session, self.actor).visible()
        if key.agent_id is not None:
            runs = runs.where(Execution.agent_id == key.agent_id)
        newest = (
            runs.with_only_columns(Execution.reported_by_key_id)
            .order_by(Execution.started_at.desc(), Execution.id.desc())
            .limit(RUNS_LOOKED_AT)
            .subquery()
        )
        own = func.count().filter(newest.c.reported_by_key_id == key.id)
        found = (await self.session.execute(select(own, func.count()).select_from(newest))).one()
        return found[0], found[1]

    async def values_for(self, data: ApiKeyCreate | ApiKeyUpdate) -> dict[str, Any]:
        values = await super().values_for(data)
        if isinstance(data, ApiKeyCreate):
            if "expires_at" not in data.model_fields_set:
                values["expires_at"] = await database_now(self.session) + DEFAULT_LIFETIME
            values["scopes"] = [scope.value for scope in data.scopes]
            values["prefix"] = self._token[:SHOWN_CHARACTERS]
            values["secret_sha256"] = sha256(self._token)
        return values

    async def check(self, row: ApiKey) -> None:
        is_new = row.id is None
        if is_new and row.expires_at is not None:
            check_expiry(row.expires_at, await database_now(self.session))

    def is_paused(self, row: Any) -> bool:  # an ApiKey, as the base's
        return row.paused_at is not None

    async def set_paused(self, row: Any, *, paused: bool) -> None:  # an ApiKey, as the base's
        """Raise ``Conflict`` for a key that opens nothing anyway."""
        now = await database_now(self.session)
        state = row.state(now)
        if paused and state in (KeyState.REVOKED, KeyState.EXPIRED):
            raise Conflict(lazy("This key is %(state)s already.", state=state.value))
        if paused is (row.paused_at is None):
            row.paused_at = now if paused else None

    async def set_expiry(self, row: ApiKey, at: datetime) -> None:
        """Raise ``Conflict`` for a key that is over, ``Invalid`` for what is past or far off."""
        now = datetime.now(UTC)
        state = row.state(now)
        if state in (KeyState.REVOKED, KeyState.EXPIRED):
            raise Conflict(lazy("This key is %(state)s; make a new one.", state=state.value))
        check_expiry(at, now)
        row.expires_at = at

    async def expire_at(self, key_id: int, at: datetime, version: int | None = None) -> ApiKey:
        """Let it work until then, be that earlier or later than before."""
        self.actor.require(self.writable)
        key = await self.get(key_id, lock=True)
        self.check_version(key, version)
        await self.set_expiry(key, at)
        await self.save("update", key)
        return key

    async def set_revoked(self, row: ApiKey) -> None:
        """Raise ``Conflict`` when it is over already."""
        if row.revoked_at is not None:
            raise Conflict(lazy("This key is revoked already."))
        row.revoked_at = datetime.now(UTC)

    async def revoke(self, key_id: int, version: int | None = None) -> ApiKey:
        """From this commit on the key opens nothing. Raise ``Conflict`` when it is over already."""
        self.actor.require(self.writable)
        key = await self.get(key_id, lock=True)
        self.check_version(key, version)
        await self.set_revoked(key)
        key.revoked_at = await database_now(self.session)
        await self.save("revoke", key)
        return key


def is_within(ip: str | None, ranges: Sequence[str]) -> bool:
    """Whether the address is in one of the ranges; no ranges are everywhere."""
    if not ranges:
        return True
    try:
        address = ip_address(ip or "")
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return any((mapped or address) in ip_network(text) for text in ranges)


@dataclass(frozen=True, slots=True)
class LiveKey:
    """A key that opens at this moment, and the rights of its owner."""

    id: int
    user_id: int
    role: Role
    scopes: Sequence[str]
    agent_id: int | None
    allowed_cidrs: Sequence[str]
    # Seconds until it expires; no number for one that never does.
    expires_in_s: float | None
    # Whether its use was noted longer than ``USED_EVERY`` ago.
    is_stale: bool
    is_paused: bool

    @property
    def kept_s(self) -> float:
        """How long it may be taken for alive; a use to be noted is looked up again."""
        if self.is_stale:
            return 0
        return math.inf if self.expires_in_s is None else self.expires_in_s

    def actor(self, request_id: str | None, ip: str | None) -> Actor:
        """A key never does more than its owner may at this moment."""
        granted = [held for held in ROLE_PERMISSIONS[self.role] if held.value in self.scopes]
        return Actor(
            user_id=self.user_id,
            role=self.role,
            permissions=frozenset(granted),
            via=Via.API,
            api_key_id=self.id,
            only_agent_id=self.agent_id,
            request_id=request_id,
            ip=ip,
        )


NOW = func.clock_timestamp()
UNNOTED = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < NOW - USED_EVERY)
KEY, OWNER = table_of(ApiKey), table_of(User)
# Columns, not rows of the ORM: this is read for every request of every machine.
LIVE_KEYS = (
    select(
        KEY.c.secret_sha256,
        KEY.c.id,
        KEY.c.user_id,
        OWNER.c.role,
        KEY.c.scopes,
        KEY.c.agent_id,
        KEY.c.allowed_cidrs,
        cast(func.extract("epoch", KEY.c.expires_at - NOW), Float),
        UNNOTED,
        KEY.c.paused_at.is_not(None),
    )
    .join(OWNER, OWNER.c.id == KEY.c.user_id)
    .where(
        KEY.c.secret_sha256 == any_(bindparam("digests", type_=ARRAY(LargeBinary))),
        KEY.c.revoked_at.is_(None),
        or_(KEY.c.expires_at.is_(None), KEY.c.expires_at > NOW),
        OWNER.c.is_active,
        OWNER.c.deleted_at.is_(None),
    )
)


async def live_keys(
    connection: AsyncConnection, digests: Collection[bytes]
) -> dict[bytes, LiveKey]:
    """Those of the keys that are alive and whose owner is, by the hash of their secret."""
    rows = await connection.execute(LIVE_KEYS, {"digests": list(digests)})
    return {row[0]: LiveKey(*row[1:]) for row in rows}


def known_keys(database: Database) -> Remembered[bytes, LiveKey]:
    return database.memories.of("keys", KEY_TABLES)


async def find_live_key(database: Database, digest: bytes) -> LiveKey | None:
    """By the hash of its secret; remembered for seconds, and forgotten with any change of keys."""
    known = known_keys(database)
    return known.get(digest) or await known.read(
        digest, lambda: database.read_together(live_keys, digest), lambda key: key.kept_s
    )


def known_actor(
    database: Database, token: str, request_id: str | None, ip: str | None
) -> Actor | None:
    """The actor of a key that is remembered and used from where it may be."""
    if not token_is_well_formed(token, KEY_PREFIX):
        return None
    key = known_keys(database).get(sha256(token))
    if key is None or key.is_paused or not is_within(ip, key.allowed_cidrs):
        return None
    return key.actor(request_id, ip)


async def recognise_key(
    database: Database, token: str, request_id: str | None, ip: str | None
) -> Actor | None:
    """The actor of a live key of an active user, used from where it may be, or ``None``.

    Raise ``KeyPaused`` for one that opens again when it is resumed.
    """
    if not token_is_well_formed(token, KEY_PREFIX):
        return None
    key = await find_live_key(database, sha256(token))
    if key is None:
        return None
    if not is_within(ip, key.allowed_cidrs):
        log.warning("key used from outside its ranges", key_id=key.id, ip=ip)
        return None
    if key.is_paused:
        raise KeyPaused(PAUSED)
    if key.is_stale:
        # Not in the request's own unit of work, which would keep a connection while it waits.
        async with database.beside() as session:
            await note_key_used(session, key.id, ip)
    return key.actor(request_id, ip)


async def note_key_used(session: AsyncSession, key_id: int, ip: str | None) -> None:
    """Once a minute is enough; a use is no change, so it has no audit event."""
    stale = (
        select(ApiKey.id)
        .where(ApiKey.id == key_id, UNNOTED)
        # Requests that come at once must not wait for one another here, nor may rows that refer
        # to the key: FOR UPDATE would stop those, and deadlock with equal reports of one run.
        .with_for_update(skip_locked=True, key_share=True)
    )
    await session.execute(
        update(ApiKey)
        .where(ApiKey.id == stale.scalar_subquery())
        .values(last_used_at=func.clock_timestamp(), last_used_ip=ip, updated_at=ApiKey.updated_at)
        .execution_options(synchronize_session=False)
    )
