"""Changes of many rows, read only: they are started and undone on their page."""

from typing import ClassVar

from app.admin.base import Names, ServiceView
from app.admin.filters import Filter, choices_of
from app.core.permissions import Permission
from app.core.texts import lazy
from app.models import BulkAction, BulkChange, BulkResource, User
from app.services.bulk_changes import BulkChangeService


class BulkChangeView(ServiceView, model=BulkChange):
    name, name_plural, icon = lazy("Bulk change"), lazy("Bulk changes"), "list-check"
    about = lazy("Changes of many rows at once, tried dry or started.")
    service = BulkChangeService
    permissions: ClassVar[dict[str, Permission]] = {
        "list": Permission.JOBS_READ,
        "details": Permission.JOBS_READ,
        "export": Permission.JOBS_READ,
    }
    columns = ("id", "resource", "action", "value", "would_change", "user_id", "created_at")
    more_columns = (
        "note",
        "already_so",
        "would_refuse",
        "undo_of_id",
        "job_id",
        "started_at",
        "expires_at",
        "updated_at",
    )
    labels: ClassVar[dict[str, str]] = {"user_id": lazy("Asked for by"), "job_id": lazy("Job id")}
    names: ClassVar[dict[str, Names]] = {"user_id": Names(User.email, Permission.USERS_READ)}
    list_filters = (
        Filter("resource", lazy("Resource"), choices_of(BulkResource)),
        Filter("action", lazy("Action"), choices_of(BulkAction)),
    )
    sorts = ("id",)
    default_sort = "-id"
    page_path = "/bulk-changes"
