"""Saved views: read and trashed here. They are made on the lists that they show."""

from typing import ClassVar

from app.admin.actions import TrashView
from app.admin.base import Names
from app.admin.filters import YES_NO, Filter
from app.core.permissions import Permission
from app.core.texts import lazy
from app.models import SavedView, User
from app.services.saved_views import SavedViewService


class SavedViewView(TrashView, model=SavedView):
    name, name_plural, icon = lazy("Saved view"), lazy("Saved views"), "bookmark"
    about = lazy("Lists as people keep them: filters, a sort and columns.")
    service = SavedViewService
    permissions: ClassVar[dict[str, Permission]] = {
        "list": Permission.VIEWS_READ,
        "details": Permission.VIEWS_READ,
        "export": Permission.VIEWS_READ,
        "delete": Permission.VIEWS_WRITE,
        "action:trash": Permission.VIEWS_WRITE,
        "action:restore": Permission.VIEWS_WRITE,
    }
    columns = ("id", "resource", "name", "is_shared", "user_id", "created_at")
    more_columns = ("filters", "sort", "columns", "updated_at", "row_version")
    labels: ClassVar[dict[str, str]] = {"user_id": lazy("Owner"), "resource": lazy("List")}
    names: ClassVar[dict[str, Names]] = {"user_id": Names(User.email, Permission.USERS_READ)}
    list_filters = (Filter("is_shared", lazy("Shared"), YES_NO),)
    page_path = "/views"
