"""Requests that import a file, with the rows that they need."""

from typing import Any

from tests.factories.imports import ROW, make_import
from tests.integration.audit_world import World

FILE = {"file": ("rows.csv", b"name,model\nimported-bot,gpt-4o\n", "text/csv")}
TOOLS = {"file": ("rows.csv", b"name\nimported-tool\n", "text/csv")}


async def upload_agents(_: World) -> tuple[str, dict[str, Any]]:
    return "/agents/import", {"files": FILE}


async def upload_tools(_: World) -> tuple[str, dict[str, Any]]:
    return "/tools/import", {"files": TOOLS}


async def confirm(world: World) -> tuple[str, dict[str, Any]]:
    row = await make_import(world.session, world.actor, ROW)
    return f"/imports/{row.id}", {"data": {"mode": "create"}}


IMPORT_CASES = {
    "POST /agents/import": upload_agents,
    "POST /tools/import": upload_tools,
    "POST /imports/{import_id}": confirm,
}
