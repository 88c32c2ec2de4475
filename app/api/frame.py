"""What surrounds every staff page: the sidebar, who is logged in, messages to show once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode

from starlette.requests import Request

from app.api.help_topics import help_href
from app.core.actor import Actor
from app.core.permissions import Permission
from app.core.texts import lazy
from app.models import User

P = Permission
ENROLMENT_PATH = "/account/second-factor"


@dataclass(frozen=True, slots=True)
class NavItem:
    """One link of the sidebar, for who holds the permission."""

    key: str
    label: str
    href: str
    icon: str
    permission: Permission


@dataclass(frozen=True, slots=True)
class NavLink:
    """A link as the template shows it."""

    key: str
    label: str
    href: str
    icon: str
    active: bool
    count: str | None = None


@dataclass(frozen=True, slots=True)
class NavGroup:
    title: str
    items: list[NavLink]


NAVIGATION: tuple[tuple[str, tuple[NavItem, ...]], ...] = (
    (
        "",
        (
            NavItem("dashboard", lazy("Dashboard"), "/", "layout-dashboard", P.BACK_OFFICE),
            NavItem("agents", lazy("Agents"), "/agents", "robot", P.AGENTS_READ),
            NavItem("tools", lazy("Tools"), "/tools", "tool", P.TOOLS_READ),
            NavItem("executions", lazy("Executions"), "/executions", "activity", P.EXECUTIONS_READ),
            NavItem("ingest", lazy("Ingest"), "/ingest", "inbox", P.EXECUTIONS_READ),
            NavItem("connect", lazy("Connect"), "/connect", "plug-connected", P.EXECUTIONS_READ),
            NavItem("jobs", lazy("Jobs"), "/jobs", "list-check", P.JOBS_READ),
            NavItem("prices", lazy("Model prices"), "/model-prices", "coin", P.PRICES_READ),
        ),
    ),
    (
        lazy("People & access"),
        (
            NavItem("users", lazy("Users"), "/users", "users", P.USERS_READ),
            NavItem("keys", lazy("API keys"), "/keys", "key", P.KEYS_READ),
            NavItem("audit", lazy("Audit"), "/audit", "history", P.AUDIT_READ),
            NavItem("webhooks", lazy("Webhooks"), "/webhooks", "webhook", P.WEBHOOKS_READ),
        ),
    ),
    (
        lazy("System"),
        (
            NavItem("admin", lazy("Data admin"), "/admin/", "database", P.BACK_OFFICE),
            NavItem(
                "operations", lazy("Operations"), "/operations", "heartbeat", P.OPERATIONS_READ
            ),
            NavItem(
                "retention", lazy("Retention"), "/retention", "calendar-off", P.SETTINGS_MANAGE
            ),
            NavItem("settings", lazy("Settings"), "/settings", "settings", P.SETTINGS_MANAGE),
            NavItem("trash", lazy("Trash"), "/trash", "trash", P.BACK_OFFICE),
            NavItem("help", lazy("Help"), "/help", "help-circle", P.BACK_OFFICE),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class FrameUser:
    """The logged-in person, as far as the frame shows them."""

    full_name: str
    email: str
    role: str
    initials: str


@dataclass(frozen=True, slots=True)
class Toast:
    """A message shown once, with an undo where there is one."""

    level: str
    text: str
    undo_href: str | None = None
    undo_label: str = lazy("Undo")


@dataclass(frozen=True, slots=True)
class Frame:
    user: FrameUser
    groups: list[NavGroup]
    environment: str
    version: str
    name: str = "Greenroom"
    help_href: str = "/help"
    toasts: list[Toast] = field(default_factory=list)


# Messages after a redirect travel as a code, so that no link can put words on a page.
NOTICES: Mapping[str, str] = {
    "created": lazy("Created."),
    "saved": lazy("Saved."),
    "default_again": lazy("The default holds again."),
    "unchanged": lazy("Nothing had changed, so nothing was saved."),
    "cancelled": lazy("The run is stopped."),
    "trashed": lazy("Moved to the trash."),
    "erased": lazy("The person is erased."),
    "restored": lazy("Restored."),
    "revoked": lazy("The key is revoked."),
    "paused": lazy("Paused."),
    "resumed": lazy("Resumed."),
    "cancelling": lazy("The job is being stopped."),
    "bulk_started": lazy("The change is under way. You can leave this page; it goes on."),
    "columns_kept": lazy("This list opens with these columns from now on."),
    "columns_usual": lazy("This list opens with its usual columns again."),
    "opens_by_view": lazy("This list opens by this view from now on."),
    "opens_whole": lazy("This list opens as a whole again."),
    "queued": lazy("The job will be tried again."),
    "on_its_way": lazy("The message is on its way."),
    "replayed": lazy("Sent again: it is stored now."),
    "refused_again": lazy("Sent again; some is still refused, for the reason shown."),
    "time_zone": lazy("Moments are shown in your time zone now."),
    "language": lazy("Pages speak the language of your choice now."),
    "password": lazy("Your password is changed; your other sessions are ended."),
    "ended": lazy("The session is ended."),
    "sessions_ended": lazy("Every session and token of this person is ended."),
    "factor_reset": lazy("The second factor of this person is removed; their sessions are ended."),
    "factor_removed": lazy("Your second factor is removed; your other sessions are ended."),
}
UNDO_PATHS = (
    "agents",
    "tools",
    "executions",
    "model_prices",
    "users",
    "webhook_endpoints",
    "saved_views",
)
# These come back through doors of their own: a sensitive change, or another address.
OWN_DOORS = {
    "model_prices": "/model-prices",
    "users": "/users",
    "webhook_endpoints": "/webhooks",
    "saved_views": "/views",
}


def initials(name: str) -> str:
    words = name.split()
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper() or "?"


def is_active(href: str, path: str) -> bool:
    path = path.replace("/bulk-changes", "/jobs", 1)  # these are work of jobs
    root = href.rstrip("/")
    return path == "/" if href == "/" else path == root or path.startswith(f"{root}/")


def groups_for(actor: Actor, path: str) -> list[NavGroup]:
    groups = [
        NavGroup(
            title,
            [
                NavLink(item.key, item.label, item.href, item.icon, is_active(item.href, path))
                for item in items
                if actor.may(item.permission)
            ],
        )
        for title, items in NAVIGATION
    ]
    return [group for group in groups if group.items]


def toasts_for(request: Request) -> list[Toast]:
    """The notice named in ``?notice=``, with an undo for what went to the trash."""
    notice = request.query_params.get("notice", "")
    if notice not in NOTICES:
        return []
    resource, _, row_id = request.query_params.get("undo", "").partition(":")
    undo = (
        restore_href(resource, row_id)
        if notice == "trashed" and resource in UNDO_PATHS and row_id.isdigit()
        else None
    )
    return [Toast("ok", NOTICES[notice], undo)]


def restore_href(resource: str, row_id: str | int) -> str:
    return f"{OWN_DOORS.get(resource, f'/trash/{resource}')}/{row_id}/restore"


def with_notice(url: str, notice: str, undo: str | None = None) -> str:
    """``url`` with a notice for the next page to show."""
    path, _, query = url.partition("?")
    values = parse_qs(query) | {"notice": [notice]} | ({"undo": [undo]} if undo else {})
    return f"{path}?{urlencode(values, doseq=True)}"


def frame_for(request: Request, user: User, actor: Actor) -> Frame:
    settings = request.app.state.settings
    return Frame(
        user=FrameUser(user.full_name, user.email, user.role.value, initials(user.full_name)),
        groups=groups_for(actor, request.url.path),
        environment=settings.environment.value,
        version=settings.version,
        name=settings.project_name,
        help_href=help_href(request.url.path),
        toasts=toasts_for(request),
    )
