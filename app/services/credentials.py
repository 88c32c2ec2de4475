"""What lets a person in without their password: ended together when that should stop."""

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.security import sha256
from app.models import RefreshToken, StaffSession


async def end_credentials(
    session: AsyncSession, user_id: int, *, keep_token: str | None = None
) -> None:
    """End every staff session, but the one of ``keep_token``, and every refresh token of a user.

    API keys are not ended: they do at most what their owner may at that moment.
    """
    now = func.clock_timestamp()
    kept = sha256(keep_token) if keep_token else b""
    await session.execute(
        update(StaffSession)
        .where(
            StaffSession.user_id == user_id,
            StaffSession.revoked_at.is_(None),
            StaffSession.token_sha256 != kept,
        )
        .values(revoked_at=now)
        .execution_options(synchronize_session=False)
    )
    await session.execute(
        update(RefreshToken)
        .where(RefreshToken.user_id == user_id, RefreshToken.revoked_at.is_(None))
        .values(revoked_at=now)
        .execution_options(synchronize_session=False)
    )
