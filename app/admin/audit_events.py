"""The audit log, for superusers. The database itself refuses to change it."""

from typing import Any, ClassVar

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.base import Names, ServiceView
from app.admin.filters import Filter, choices_of
from app.core.actor import Actor, Via
from app.core.permissions import Permission
from app.core.texts import lazy
from app.models import ApiKey, AuditEvent, User
from app.services.audit_events import AuditEventService


class AuditEventView(ServiceView, model=AuditEvent):
    name, name_plural, icon = lazy("Audit event"), lazy("Audit events"), "history"
    about = lazy("Who changed what, when, and through which door.")
    permissions: ClassVar[dict[str, Permission]] = {
        "list": Permission.AUDIT_READ,
        "details": Permission.AUDIT_READ,
        "export": Permission.AUDIT_READ,
    }
    columns = ("id", "at", "actor_user_id", "via", "action", "resource", "resource_id", "label")
    more_columns = ("changes", "reason", "actor_api_key_id", "request_id", "ip")
    labels: ClassVar[dict[str, str]] = {
        "actor_user_id": lazy("Who"),
        "actor_api_key_id": lazy("By key"),
        "resource_id": lazy("Row"),
        "ip": lazy("From"),
    }
    names: ClassVar[dict[str, Names]] = {
        "actor_user_id": Names(User.email, Permission.USERS_READ),
        "actor_api_key_id": Names(ApiKey.name, Permission.KEYS_READ),
    }
    list_filters = (
        Filter("resource", lazy("Resource")),
        Filter("resource_id", lazy("Row id")),
        Filter("action", lazy("Action")),
        Filter("via", lazy("Via"), choices_of(Via)),
        Filter("actor_user_id", lazy("User id")),
    )
    sorts = ("at",)
    default_sort = "-at"

    def visible(self, session: AsyncSession, actor: Actor, *, trashed: bool = False) -> Select[Any]:
        return AuditEventService(session, actor).visible()
