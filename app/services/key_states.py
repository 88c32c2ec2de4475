"""What an API key is good for: when it ends, what may follow it, and which keys are idle."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, false, func, not_, or_, true

from app.core.permissions import KEY_SCOPES
from app.core.texts import lazy
from app.exceptions import Conflict, Invalid
from app.models import ApiKey
from app.models.api_keys import EXPIRES_SOON, KeyState
from app.schemas.api_keys import ApiKeyCreate

LONGEST_LIFETIME = timedelta(days=36_500)


def check_expiry(at: datetime, now: datetime) -> None:
    """Raise ``Invalid`` for a moment that is past, or too far off."""
    if at <= now:
        raise Invalid(lazy("expires_at must be in the future."), field="expires_at")
    if at > now + LONGEST_LIFETIME:
        raise Invalid(
            lazy("expires_at must be within 100 years; null is never."), field="expires_at"
        )


def refuse_rotation(key: ApiKey, now: datetime) -> None:
    """Raise ``Conflict`` unless a new key can take the place of this one."""
    match key.state(now):
        case KeyState.REPLACED:
            raise Conflict(lazy("This key has a successor already; rotate that one."))
        case KeyState.PAUSED:
            raise Conflict(lazy("This key is paused; resume it first."))
        case KeyState.REVOKED | KeyState.EXPIRED as state:
            raise Conflict(lazy("This key is %(state)s; make a new one.", state=state.value))
    if key.agent is not None and key.agent.deleted_at is not None:
        raise Conflict(lazy("The one agent that this key is limited to is in the trash."))


def successor_of(key: ApiKey, now: datetime) -> ApiKeyCreate:
    """The same name, rights, ranges and lifetime, from now on."""
    lifetime = None if key.expires_at is None else key.expires_at - key.created_at
    return ApiKeyCreate(
        name=key.name,
        # A scope that this version of the product no longer knows has opened nothing anyway.
        scopes=[scope for scope in KEY_SCOPES if scope.value in key.scopes],
        agent_id=key.agent_id,
        allowed_cidrs=key.allowed_cidrs,
        expires_at=None if lifetime is None else now + min(lifetime, LONGEST_LIFETIME),
    )


def in_state(state: KeyState) -> ColumnElement[bool]:
    """As ``ApiKey.state`` says it of a row: the first of these that holds."""
    now = func.statement_timestamp()
    is_replaced = ApiKey.replaced_by_id.is_not(None)
    holds = {
        KeyState.REVOKED: ApiKey.revoked_at.is_not(None),
        KeyState.EXPIRED: func.coalesce(ApiKey.expires_at <= now, false()),
        KeyState.PAUSED: ApiKey.paused_at.is_not(None),
        KeyState.REPLACED: is_replaced,
        KeyState.EXPIRING: func.coalesce(ApiKey.expires_at <= now + EXPIRES_SOON, false()),
        KeyState.ACTIVE: true(),
    }
    before = list(holds)[: list(holds).index(state)]
    return and_(holds[state], *(not_(holds[each]) for each in before))


def ends_soon() -> list[ColumnElement[bool]]:
    """Working keys without a successor; the time alone first, which an index can answer."""
    now = func.statement_timestamp()
    return [
        ApiKey.expires_at > now,
        ApiKey.expires_at <= now + EXPIRES_SOON,
        in_state(KeyState.EXPIRING),
    ]


def unused_for(days: int) -> list[ColumnElement[bool]]:
    # Stable within the statement, unlike clock_timestamp(): an index can answer.
    now = func.statement_timestamp()
    since = now - timedelta(days=days)
    return [
        ApiKey.created_at < since,
        or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < since),
        ApiKey.revoked_at.is_(None),
        or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now),
    ]
