"""Runs that called tools, and their counting."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import Database
from app.core.process_pool import ProcessPool
from app.core.templating import Templates
from app.jobs.context import Resources
from app.jobs.tool_calls import count_tool_calls
from app.models import Agent, CallProblemKind, Tool, ToolCallHour, ToolCallProblem
from app.services.stale_hours import hour_of
from tests.conftest import settings_for

CALLED_AT = datetime.now(UTC).replace(minute=10, second=0, microsecond=0) - timedelta(hours=2)


def call(number: int, arguments: Any, name: str = "weather", **values: Any) -> dict[str, Any]:
    """A step that called a tool, as it is sent."""
    return {
        "span_id": f"{number:016x}",
        "kind": "tool",
        "name": f"execute {name}",
        "tool_name": name,
        "started_at": CALLED_AT.isoformat(),
        "input": arguments,
        "output": "fine",
    } | values


def calling(*steps: dict[str, Any], **values: Any) -> dict[str, Any]:
    """What ``make_execution`` takes for a run of these steps."""
    times = {"started_at": CALLED_AT.isoformat(), "ended_at": None, "status": "running"}
    return times | {"spans": list(steps)} | values


def resources_for(database: Database, pool: ProcessPool) -> Resources:
    url = database.engine.url.render_as_string(hide_password=False)
    return Resources(database, settings_for(url), Templates(), processes=pool)


async def make_tool_call_hour(
    session: AsyncSession, agent: Agent, tool: Tool, checked: int, broken: int
) -> None:
    """As the worker would have counted so many calls, those that are broken without a city."""
    key = {"agent_id": agent.id, "hour": hour_of(CALLED_AT), "tool_name": tool.name.lower()}
    counts = {"calls": checked, "errors": 0, "unoffered": 0, "checked": checked, "broken": broken}
    session.add(ToolCallHour(**key, **counts, tool_id=tool.id, counted_at=datetime.now(UTC)))
    await session.flush()  # problems refer to their hour
    fault = {"kind": CallProblemKind.BROKEN, "what": "'city' is a required property"}
    session.add(ToolCallProblem(**key, **fault, calls=broken, execution_id=1))
    await session.flush()


async def count_now(database: Database, pool: ProcessPool) -> None:
    """As the worker does every minute."""
    await count_tool_calls(resources_for(database, pool))
