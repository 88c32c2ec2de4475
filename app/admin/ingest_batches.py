"""Receipts of what runtimes sent by OpenTelemetry, read only: they are sent again on their page."""

from typing import Any, ClassVar

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.base import ServiceView
from app.core.actor import Actor
from app.core.permissions import Permission
from app.core.texts import lazy
from app.models import IngestBatch
from app.services.ingest_batches import IngestBatchService


class IngestBatchView(ServiceView, model=IngestBatch):
    name, name_plural, icon = lazy("Ingest batch"), lazy("Ingest batches"), "package-import"
    about = lazy("Requests with spans, and what became of them.")
    permissions: ClassVar[dict[str, Permission]] = {
        "list": Permission.EXECUTIONS_READ,
        "details": Permission.EXECUTIONS_READ,
        "export": Permission.EXECUTIONS_READ,
    }
    columns = ("id", "created_at", "span_count", "rejected_count", "execution_count")
    more_columns = (
        "event_count",
        "media_type",
        "size_bytes",
        "user_id",
        "api_key_id",
        "updated_at",
    )
    sorts = ("id",)
    default_sort = "-id"

    def visible(self, session: AsyncSession, actor: Actor, *, trashed: bool = False) -> Select[Any]:
        """Those of their own, for people who do not see all rows."""
        return IngestBatchService(session, actor).visible()
