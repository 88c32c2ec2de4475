"""API keys: made once, recognised by their hash, revoked for good."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload
from sqlalchemy.sql.base import ExecutableOption

from app.core.actor import Actor, Via
from app.core.database import database_now
from app.core.permissions import ROLE_PERMISSIONS, Permission
from app.core.security import new_token, sha256, token_is_well_formed
from app.exceptions import Conflict, Forbidden
from app.models import Agent, ApiKey, User
from app.schemas.api_keys import ApiKeyCreate, ApiKeyUpdate
from app.services.agents import AgentService
from app.services.base import BaseService

KEY_PREFIX = "gr"
SHOWN_CHARACTERS = 10
USED_EVERY = timedelta(minutes=1)


class ApiKeyService(BaseService[ApiKey, ApiKeyCreate, ApiKeyUpdate]):
    model = ApiKey
    resource = "api_keys"
    noun = "API key"
    readable = Permission.KEYS_READ
    writable = Permission.KEYS_WRITE
    deletable = Permission.KEYS_WRITE
    filters = ("user_id",)

    def loads(self) -> Sequence[ExecutableOption]:
        return (joinedload(ApiKey.user), joinedload(ApiKey.agent).load_only(Agent.name))

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
            raise Forbidden(f"You cannot give what you do not have: {', '.join(beyond)}.")
        if data.agent_id is not None:
            await AgentService(self.session, self.actor).get(data.agent_id)
        token = new_token(KEY_PREFIX)
        self._token = token
        return await self.create(data), token

    async def values_for(self, data: ApiKeyCreate | ApiKeyUpdate) -> dict[str, Any]:
        values = await super().values_for(data)
        if isinstance(data, ApiKeyCreate):
            values["scopes"] = [scope.value for scope in data.scopes]
            values["prefix"] = self._token[:SHOWN_CHARACTERS]
            values["secret_sha256"] = sha256(self._token)
        return values

    async def revoke(self, key_id: int) -> ApiKey:
        """From this commit on the key opens nothing. Raise ``Conflict`` when it is over already."""
        self.actor.require(self.writable)
        key = await self.get(key_id, lock=True)
        if key.revoked_at is not None:
            raise Conflict("This key is revoked already.")
        key.revoked_at = await database_now(self.session)
        await self.save("revoke", key)
        return key


async def recognise_key(
    session: AsyncSession, token: str, request_id: str | None, ip: str | None
) -> Actor | None:
    """The actor of a live key of an active user, or ``None``.

    A key never does more than its owner may at this moment.
    """
    if not token_is_well_formed(token, KEY_PREFIX):
        return None
    now = func.clock_timestamp()
    key = await session.scalar(
        select(ApiKey)
        .join(ApiKey.user)
        .where(
            ApiKey.secret_sha256 == sha256(token),
            ApiKey.revoked_at.is_(None),
            or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now),
            User.is_active,
            User.deleted_at.is_(None),
        )
        .options(joinedload(ApiKey.user))
    )
    if key is None:
        return None
    granted = [held for held in ROLE_PERMISSIONS[key.user.role] if held.value in key.scopes]
    return Actor(
        user_id=key.user_id,
        role=key.user.role,
        permissions=frozenset(granted),
        via=Via.API,
        api_key_id=key.id,
        only_agent_id=key.agent_id,
        request_id=request_id,
        ip=ip,
    )


async def note_key_used(session: AsyncSession, key_id: int, ip: str | None) -> None:
    """Once a minute is enough; a use is no change, so it has no audit event."""
    stale = (
        select(ApiKey.id)
        .where(
            ApiKey.id == key_id,
            or_(
                ApiKey.last_used_at.is_(None),
                ApiKey.last_used_at < func.clock_timestamp() - USED_EVERY,
            ),
        )
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
