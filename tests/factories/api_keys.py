"""API keys whose secret the test knows."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.permissions import KEY_SCOPES, Permission
from app.core.security import new_token, sha256
from app.models import Agent, ApiKey, User


async def make_api_key(
    session: AsyncSession,
    user: User,
    scopes: Sequence[Permission] = KEY_SCOPES,
    agent: Agent | None = None,
) -> tuple[ApiKey, str]:
    token = new_token("gr")
    key = ApiKey(
        user_id=user.id,
        name="test key",
        prefix=token[:10],
        secret_sha256=sha256(token),
        scopes=[scope.value for scope in scopes],
        agent_id=agent.id if agent else None,
    )
    session.add(key)
    await session.flush()
    return key, token
