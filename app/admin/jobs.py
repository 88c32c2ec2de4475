"""Background jobs, read only: they are cancelled and tried again on their page."""

from typing import ClassVar

from app.admin.base import Names, ServiceView
from app.admin.filters import Filter, choices_of
from app.core.permissions import Permission
from app.core.texts import lazy
from app.models import Job, JobKind, JobStatus, User
from app.services.jobs import JobService


class JobView(ServiceView, model=Job):
    name, name_plural, icon = lazy("Job"), lazy("Jobs"), "list-check"
    about = lazy("Work in the background: how far it is, and what came of it.")
    service = JobService
    permissions: ClassVar[dict[str, Permission]] = {
        "list": Permission.JOBS_READ,
        "details": Permission.JOBS_READ,
        "export": Permission.JOBS_READ,
    }
    columns = ("id", "kind", "status", "progress", "attempts", "user_id", "created_at")
    more_columns = ("message", "error", "started_at", "finished_at", "next_at", "agent_id")
    labels: ClassVar[dict[str, str]] = {"user_id": lazy("Asked for by")}
    names: ClassVar[dict[str, Names]] = {"user_id": Names(User.email, Permission.USERS_READ)}
    list_filters = (
        Filter("kind", lazy("Kind"), choices_of(JobKind)),
        Filter("status", lazy("Status"), choices_of(JobStatus)),
    )
    sorts = ("created_at",)
    default_sort = "-created_at"
    page_path = "/jobs"
