"""First answers to repeated requests, for superusers. Their bodies are not shown: they may hold
a new key's secret."""

from typing import Any, ClassVar

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.base import ServiceView
from app.core.actor import Actor
from app.core.permissions import Permission
from app.core.texts import lazy
from app.models import IdempotencyKey


class IdempotencyKeyView(ServiceView, model=IdempotencyKey):
    name, name_plural, icon = lazy("Idempotency key"), lazy("Idempotency keys"), "repeat"
    about = lazy("Requests that may be repeated without being done twice.")
    permissions: ClassVar[dict[str, Permission]] = {
        "list": Permission.AUDIT_READ,
        "details": Permission.AUDIT_READ,
    }
    columns = ("id", "actor", "method", "route", "key", "status", "created_at", "expires_at")
    more_columns = ("location", "updated_at")
    sorts = ("id",)
    default_sort = "-id"

    def visible(self, session: AsyncSession, actor: Actor, *, trashed: bool = False) -> Select[Any]:
        actor.require(Permission.AUDIT_READ)
        return select(IdempotencyKey)
