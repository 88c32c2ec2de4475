"""Ways to come in: headers of an API key, cookies of a logged-in staff member."""

from collections.abc import Sequence

import httpx2
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.deps import cookie_name
from app.core.config import Settings
from app.core.permissions import KEY_SCOPES, Permission
from app.core.security import Signer
from app.models import Agent, User
from tests.factories.api_keys import make_api_key
from tests.factories.users import make_session_token

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


async def key_headers(
    session: AsyncSession,
    user: User,
    scopes: Sequence[Permission] = KEY_SCOPES,
    agent: Agent | None = None,
) -> dict[str, str]:
    """Headers with a new key of this user."""
    _, token = await make_api_key(session, user, scopes, agent)
    return {"X-API-Key": token}


def set_session_cookie(client: httpx2.AsyncClient, settings: Settings, token: str) -> None:
    """Make the client the browser that this session token was given to."""
    client.headers.update(SAME_ORIGIN)
    signed = Signer(settings.signing_keys()).sign(token)
    # The domain under which the cookie jar keeps what a server called localhost sets.
    client.cookies.set(cookie_name(settings), signed, domain="localhost.local")


async def log_in(
    client: httpx2.AsyncClient, session: AsyncSession, settings: Settings, user: User
) -> str:
    """Log this user in at the client; return the session's token."""
    token = await make_session_token(session, user)
    set_session_cookie(client, settings, token)
    return token
