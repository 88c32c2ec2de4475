"""How a request to a writing route is written down."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.integration.audit_world import World

API = "/api/v1"
Case = Callable[[World], Awaitable[tuple[str, dict[str, Any]]]]


def to(path: str, **options: Any) -> Case:
    """A request that needs no row."""

    async def case(_: World) -> tuple[str, dict[str, Any]]:
        return path, options

    return case


def at(path: str, row: str, *arguments: Any, **options: Any) -> Case:
    """A request to a row that the world makes: the name of its method, and its arguments."""

    async def case(world: World) -> tuple[str, dict[str, Any]]:
        return path.format(await getattr(world, row)(*arguments)), options

    return case
