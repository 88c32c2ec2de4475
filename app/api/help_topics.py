"""Which section of the manual each page of the product leads to."""

from collections.abc import Mapping

# First segments of an address, an id as *, and the page#section that helps there. The longest
# entry that an address begins with counts.
TOPICS: Mapping[str, str] = {
    "": "dashboard",
    "account": "users-and-keys#your-account",
    "account/second-factor": "users-and-keys#second-factor",
    "admin": "data-admin",
    "agents": "agents",
    "agents/import": "importing#import-agents-and-tools",
    "agents/new": "agents#make-an-agent",
    "agents/*/edit": "agents#change-an-agent",
    "agents/*/pause": "agents#pause-an-agent",
    "agents/*/revisions": "agents#revisions",
    "agents/*/playground": "running#the-playground",
    "agents/*/analyses": "analysis",
    "audit": "audit",
    "bulk-changes": "around#many-rows-at-once",
    "connect": "opentelemetry",
    "executions": "executions",
    "executions/*": "executions#read-a-trace",
    "executions/compare": "executions#compare-two-runs",
    "executions/*/feedback": "executions#say-what-you-think-of-a-run",
    "help": "index",
    "imports": "importing#import-agents-and-tools",
    "ingest": "opentelemetry#receipts",
    "jobs": "jobs",
    "keys": "users-and-keys#api-keys",
    "keys/*/pause": "users-and-keys#pause-or-revoke-a-key",
    "model-prices": "costs#models-of-your-own",
    "operations": "operations",
    "retention": "retention",
    "running-jobs": "jobs",
    "search": "around#search",
    "settings": "settings",
    "tools": "tools",
    "tools/import": "importing#import-agents-and-tools",
    "tools/new": "tools#make-a-tool",
    "tools/*/pause": "tools#pause-a-tool",
    "trash": "around#trash-and-undo",
    "users": "users-and-keys#people",
    "users/*/erase": "personal-data#erase-a-person",
    "users/invite": "users-and-keys#invite-someone",
    "views": "around#saved-views",
    "webhooks": "webhooks",
}


def topic_of(path: str) -> str | None:
    """The ``page#section`` for an address of a page; ``None`` where nobody wrote one."""
    parts = [
        "*" if part.isdigit() or part[:1] == "{" else part for part in path.strip("/").split("/")
    ]
    beginnings = ("/".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((TOPICS[each] for each in beginnings if each in TOPICS), None)


def help_href(path: str) -> str:
    return f"/help/{topic_of(path) or ''}".removesuffix("/").removesuffix("/index")
