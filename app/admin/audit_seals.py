"""The chain over the audit log, for superusers. ``python -m app audit verify`` checks it."""

from typing import Any, ClassVar

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.base import ServiceView
from app.core.actor import Actor
from app.core.permissions import Permission
from app.core.texts import lazy
from app.models import AuditSeal


class AuditSealView(ServiceView, model=AuditSeal):
    name, name_plural, icon = lazy("Audit seal"), lazy("Audit seals"), "lock"
    about = lazy(
        "Each seal holds the ids of its events, and a signed digest of them and the seal before."
    )
    permissions: ClassVar[dict[str, Permission]] = {
        "list": Permission.AUDIT_READ,
        "details": Permission.AUDIT_READ,
        "export": Permission.AUDIT_READ,
    }
    columns = ("id", "sealed_at", "chain_sha256", "key_id")
    more_columns = ("event_ids",)
    sorts = ("id",)
    default_sort = "-id"

    def visible(self, session: AsyncSession, actor: Actor, *, trashed: bool = False) -> Select[Any]:
        actor.require(Permission.AUDIT_READ)
        return select(AuditSeal)
