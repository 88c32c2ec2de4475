"""Who does something: a person or a key, by which door, with which permissions."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from app.core.permissions import KEY_SCOPES, ROLE_PERMISSIONS, SEES_ALL_ROWS, Permission, Role
from app.core.texts import lazy, mark
from app.exceptions import Forbidden

NEEDED = mark("This needs the permission %(permission)s.")
LOG_IN = mark(
    "This needs the permission %(permission)s. No API key can have it: log in as a person."
)


class Via(StrEnum):
    """The door a change came through."""

    PAGE = "page"
    ADMIN = "admin"
    API = "api"
    CLI = "cli"
    JOB = "job"


@dataclass(frozen=True, slots=True)
class Actor:
    """The principal of one request, command or job."""

    user_id: int | None
    role: Role
    permissions: frozenset[Permission]
    via: Via
    api_key_id: int | None = None
    only_agent_id: int | None = None
    request_id: str | None = None
    ip: str | None = None
    # Whether the person proved who they are a short while ago, as sensitive changes ask for.
    recently_authenticated: bool = False

    @classmethod
    def system(cls, via: Via) -> Self:
        """The product itself, for commands run on the server's own machine."""
        return cls(
            user_id=None,
            role=Role.SUPERUSER,
            permissions=ROLE_PERMISSIONS[Role.SUPERUSER],
            via=via,
        )

    @property
    def sees_all_rows(self) -> bool:
        return self.role in SEES_ALL_ROWS

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raise ``Forbidden`` unless this actor holds the permission."""
        if permission not in self.permissions:
            is_for_people = permission not in KEY_SCOPES and self.api_key_id is not None
            raise Forbidden(lazy(LOG_IN if is_for_people else NEEDED, permission=permission))
