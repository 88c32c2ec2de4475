"""The route that answered a request, with names in place of ids: there are only so many."""

from starlette.types import Scope

NO_ROUTE = "none"


def route_of(scope: Scope) -> str:
    """``/agents/{agent_id}`` once the request was routed; ``none`` where nothing matched."""
    route = scope.get("route")
    if route is None:
        # Files are served by a mount, which has no routes.
        mount: str = scope.get("root_path", "")
        return f"{mount}/{{path}}" if mount else NO_ROUTE
    # FastAPI keeps beside a route the prefixes under which its router was included.
    context = scope.get("fastapi", {}).get("effective_route_context")
    if context is not None and context.original_route is route:
        route = context
    path: str = getattr(route, "path", "")
    return f"{scope.get('root_path', '')}{path}" or NO_ROUTE
