"""Refuses requests whose Host header does not name this server."""

import re
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from app.exceptions import MisdirectedRequest

# Nothing that would end the host of an address that is made of it.
NAME_AND_PORT = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
ANY_HOST_PATHS = ("/health", "/metrics")


def host_of(scope: Scope) -> str | None:
    """The one Host header's name without port, ``None`` when there is none or more than one."""
    values = [value for name, value in scope["headers"] if name == b"host"]
    if len(values) != 1:
        return None
    value = values[0].decode("latin-1")
    try:
        return urlsplit(f"//{value}").hostname if NAME_AND_PORT.fullmatch(value) else None
    except ValueError:
        return None


class HostsMiddleware:
    """Absolute URLs and the same-origin rule rely on the Host header being ours."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self.app = app
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and not self._welcome(scope):
            raise MisdirectedRequest(
                "The Host header does not name this server. Set PUBLIC_ORIGIN or ALLOWED_HOSTS."
            )
        await self.app(scope, receive, send)

    def _welcome(self, scope: Scope) -> bool:
        host = host_of(scope)
        # Probes of an orchestrator come by address; what they learn does not hang on the name.
        return host in self.hosts or (host is not None and scope["path"].startswith(ANY_HOST_PATHS))
