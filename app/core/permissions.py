"""The policy: which role may do what. This file is the document; tests read it."""

from enum import StrEnum


class Role(StrEnum):
    """What a user is; each role includes what the one before it may do, members aside."""

    MEMBER = "member"
    VIEWER = "viewer"
    STAFF = "staff"
    SUPERUSER = "superuser"


class Permission(StrEnum):
    """``resource:verb``; also the scopes of API keys."""

    AGENTS_READ = "agents:read"
    AGENTS_WRITE = "agents:write"
    AGENTS_DELETE = "agents:delete"
    AGENTS_RUN = "agents:run"
    TOOLS_READ = "tools:read"
    TOOLS_WRITE = "tools:write"
    TOOLS_DELETE = "tools:delete"
    EXECUTIONS_READ = "executions:read"
    EXECUTIONS_WRITE = "executions:write"
    EXECUTIONS_DELETE = "executions:delete"
    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"
    PRICES_READ = "prices:read"
    PRICES_MANAGE = "prices:manage"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    KEYS_MANAGE = "keys:manage"
    USERS_READ = "users:read"
    USERS_MANAGE = "users:manage"
    SESSIONS_MANAGE = "sessions:manage"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_RUN = "webhooks:run"
    WEBHOOKS_MANAGE = "webhooks:manage"
    VIEWS_READ = "views:read"
    VIEWS_WRITE = "views:write"
    AUDIT_READ = "audit:read"
    SETTINGS_MANAGE = "settings:manage"
    OPERATIONS_READ = "operations:read"
    BACK_OFFICE = "back_office:read"


P = Permission

READ = frozenset(
    {
        P.AGENTS_READ,
        P.TOOLS_READ,
        P.EXECUTIONS_READ,
        P.JOBS_READ,
        P.PRICES_READ,
        P.KEYS_READ,
    }
)
WRITE = frozenset(
    {
        P.AGENTS_WRITE,
        P.AGENTS_DELETE,
        P.AGENTS_RUN,
        P.TOOLS_WRITE,
        P.TOOLS_DELETE,
        P.EXECUTIONS_WRITE,
        P.EXECUTIONS_DELETE,
        P.JOBS_WRITE,
        P.KEYS_WRITE,
    }
)
VIEWS = frozenset({P.VIEWS_READ, P.VIEWS_WRITE})

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.MEMBER: READ | WRITE,
    # Views are how a person looks at a list: who only reads keeps some, too.
    Role.VIEWER: READ | VIEWS | {P.BACK_OFFICE, P.WEBHOOKS_READ},
    # Sending again and trying out is theirs; where the messages go is for superusers to say.
    # Prices too: who may change the cost of any run may say what its model costs.
    Role.STAFF: READ
    | WRITE
    | VIEWS
    | {P.BACK_OFFICE, P.PRICES_MANAGE, P.WEBHOOKS_READ, P.WEBHOOKS_RUN},
    Role.SUPERUSER: frozenset(Permission),
}

# What a machine may be given; people manage users, keys, prices and the audit log in person.
KEY_SCOPES: tuple[Permission, ...] = (
    P.AGENTS_READ,
    P.AGENTS_WRITE,
    P.AGENTS_DELETE,
    P.AGENTS_RUN,
    P.TOOLS_READ,
    P.TOOLS_WRITE,
    P.TOOLS_DELETE,
    P.EXECUTIONS_READ,
    P.EXECUTIONS_WRITE,
    P.EXECUTIONS_DELETE,
    P.JOBS_READ,
    P.JOBS_WRITE,
    P.PRICES_READ,
)

SEES_ALL_ROWS = frozenset({Role.VIEWER, Role.STAFF, Role.SUPERUSER})
