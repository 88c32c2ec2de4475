"""Requests that change many rows at once, with the rows that they need."""

from typing import Any

from sqlalchemy import text

from tests.factories.bulk_changes import make_bulk_change
from tests.integration.audit_world import World

PAGES, API = "/bulk-changes", "/api/v1/bulk-changes"
PAUSE = {"resource": "agents", "action": "pause"}


async def dry_run(world: World) -> int:
    agent_id = await world.agent()
    return (await make_bulk_change(world.session, world.actor, ids=[agent_id])).id


async def ended(world: World) -> int:
    """A change of which one row is done."""
    agent_id = await world.agent()
    change = await make_bulk_change(world.session, world.actor, ids=[agent_id], dry_run=False)
    await world.session.execute(text("UPDATE jobs SET status = 'succeeded'"))
    await world.session.execute(text("UPDATE bulk_change_rows SET outcome = 'changed'"))
    return change.id


async def try_on_page(world: World) -> tuple[str, dict[str, Any]]:
    return PAGES, {"data": PAUSE | {"ids": str(await world.agent())}}


async def try_by_api(world: World) -> tuple[str, dict[str, Any]]:
    return API, {"json": PAUSE | {"ids": [await world.agent()]}}


async def start_on_page(world: World) -> tuple[str, dict[str, Any]]:
    return f"{PAGES}/{await dry_run(world)}/start", {"data": {"note": "Why."}}


async def start_by_api(world: World) -> tuple[str, dict[str, Any]]:
    return f"{API}/{await dry_run(world)}/start", {"json": {}}


async def undo_on_page(world: World) -> tuple[str, dict[str, Any]]:
    return f"{PAGES}/{await ended(world)}/undo", {}


async def undo_by_api(world: World) -> tuple[str, dict[str, Any]]:
    return f"{API}/{await ended(world)}/undo", {"json": {}}


BULK_CASES = {
    f"POST {PAGES}": try_on_page,
    f"POST {PAGES}/{{change_id}}/start": start_on_page,
    f"POST {PAGES}/{{change_id}}/undo": undo_on_page,
    f"POST {API}": try_by_api,
    f"POST {API}/{{change_id}}/start": start_by_api,
    f"POST {API}/{{change_id}}/undo": undo_by_api,
}
