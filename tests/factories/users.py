"""Users with plausible names, and ways for them to come in."""

from datetime import UTC, datetime, timedelta
from secrets import token_urlsafe

import pyotp
from faker import Faker
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.keys import SecretBox
from app.core.permissions import Role
from app.core.security import PASSWORDS, sha256
from app.models import StaffSession, User

fake = Faker()
PASSWORD = "Correct-Horse-7"
# Hashed once: the cost is the point of the hash, and would be paid by every test.
HASHED_PASSWORD = PASSWORDS.hash(PASSWORD)


async def make_user(
    session: AsyncSession, role: Role = Role.STAFF, *, email: str | None = None, active: bool = True
) -> User:
    user = User(
        email=(email or f"{token_urlsafe(6)}-{fake.user_name()}@example.com").lower(),
        full_name=fake.name(),
        hashed_password=HASHED_PASSWORD,
        role=role,
        is_active=active,
    )
    session.add(user)
    await session.flush()
    return user


async def make_session_token(session: AsyncSession, user: User) -> str:
    """The opaque token of a new staff session of this user."""
    token = token_urlsafe(32)
    session.add(
        StaffSession(
            token_sha256=sha256(token),
            user_id=user.id,
            expires_at=datetime.now(UTC) + timedelta(hours=12),
        )
    )
    await session.flush()
    return token


async def give_second_factor(session: AsyncSession, user: User, settings: Settings) -> str:
    """Put a second factor in force that no code was used of yet; its secret."""
    secret = pyotp.random_base32()
    user.totp_secret = SecretBox(settings, "totp").seal(secret)
    user.totp_confirmed_at = datetime.now(UTC)
    await session.flush()
    return secret
