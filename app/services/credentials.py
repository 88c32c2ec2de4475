"""What lets a person in without their password: ended together when that should stop."""

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.security import sha256
from app.models import RefreshToken, StaffSession, User


async def hold_logins(session: AsyncSession, user_id: int) -> None:
    """Until this unit of work ends, nobody else makes or ends a login of this person.

    Otherwise a token made at the same moment would outlive the end of its login. The row of the
    user is locked, and first, because a change of that row is what ends most logins.
    """
    own = select(User.id).where(User.id == user_id)
    await session.execute(own.with_for_update(key_share=True))


async def end_credentials(
    session: AsyncSession, user_id: int, *, keep_token: str | None = None
) -> None:
    """End every staff session, but the one of ``keep_token``, and every refresh token of a user.

    API keys are not ended: they do at most what their owner may at that moment.
    """
    await hold_logins(session, user_id)
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
