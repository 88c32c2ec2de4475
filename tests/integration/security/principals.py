"""Everyone who may ask: each kind of person and key, by each kind of credential."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.permissions import KEY_SCOPES, ROLE_PERMISSIONS, Permission, Role
from app.models import Agent, User
from app.services.refresh_tokens import RefreshTokenService
from tests.conftest import actor_for, client_of
from tests.factories.clients import SAME_ORIGIN, key_headers, log_in


@dataclass(frozen=True, slots=True)
class Principal:
    """``credential`` is none, cookie, token, key, or limited (a key of one agent)."""

    credential: str
    role: Role | None = None

    @property
    def name(self) -> str:
        return f"{self.role.value if self.role else 'anonymous'} by {self.credential}"

    @property
    def permissions(self) -> frozenset[Permission]:
        if self.role is None:
            return frozenset()
        by_role = ROLE_PERMISSIONS[self.role]
        return by_role & set(KEY_SCOPES) if self.credential in {"key", "limited"} else by_role

    def enters(self, *, api: bool) -> bool:
        """Whether this credential counts at all at that half of the product."""
        if self.credential == "cookie":
            return self.role is not Role.MEMBER
        return api and self.role is not None


PRINCIPALS = [
    Principal("none"),
    *(Principal(kind, role) for role in Role for kind in ("cookie", "token", "key")),
    Principal("limited", Role.MEMBER),
    Principal("limited", Role.SUPERUSER),
]


@asynccontextmanager
async def client_as(
    principal: Principal,
    app: FastAPI,
    session: AsyncSession,
    settings: Settings,
    user: User,
    agent: Agent | None = None,
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client with this credential of ``user``; a limited key is one of ``agent``."""
    async with client_of(app, headers=SAME_ORIGIN) as client:
        if principal.credential == "cookie":
            await log_in(client, session, settings, user)
        elif principal.credential == "token":
            pair = await RefreshTokenService(session, actor_for(user), settings).open(user, None)
            client.headers["Authorization"] = f"Bearer {pair.access_token}"
        elif principal.credential == "key":
            client.headers.update(await key_headers(session, user))
        elif principal.credential == "limited":
            client.headers.update(await key_headers(session, user, agent=agent))
        yield client
