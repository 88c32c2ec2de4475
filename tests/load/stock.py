"""The rows that both servers answer from, and the requests that are sent to them."""

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from app.core.actor import Actor
from app.core.database import Database
from app.core.permissions import Role
from app.models import Agent
from tests.conftest import actor_for
from tests.factories.agents import make_agent
from tests.factories.api_keys import make_api_key
from tests.factories.executions import START, make_execution
from tests.factories.tools import make_tool
from tests.factories.users import make_user
from tests.load.client import Target, message

TOOLS, RUNS, SPANS = 3, 200, 8
PROMPT = "You help travellers find their luggage. Be kind, be short, never guess. " * 10
SAID = "My bag did not come out in Rome. It is blue, and my name is on it. " * 5


@dataclass(frozen=True, slots=True)
class Stock:
    """An agent with tools and runs, and a key of its owner."""

    agent_id: int
    agent_name: str
    api_key: str


async def fill(database: Database) -> Stock:
    """Make the rows in the database, committed."""
    async with database.unit_of_work() as session:
        user = await make_user(session, Role.STAFF)
        actor: Actor = actor_for(user)
        tools = [(await make_tool(session, actor)).id for _ in range(TOOLS)]
        agent: Agent = await make_agent(
            session, actor, system_prompt=PROMPT, max_tokens=4000, tool_ids=tools
        )
        for _ in range(RUNS):
            await make_execution(session, actor, agent, spans=steps())
        _, api_key = await make_api_key(session, user)
    return Stock(agent.id, agent.name, api_key)


def steps() -> list[dict[str, Any]]:
    """The spans of a run as a client sends them."""
    return [
        {
            "span_id": f"{number:016x}",
            "parent_span_id": f"{1:016x}" if number > 1 else None,
            "kind": "llm" if number % 2 else "tool",
            "name": f"step {number}",
            "started_at": START,
            "ended_at": f"2026-11-01T10:00:0{number}Z",
            "input_tokens": 100,
            "output_tokens": 20,
            "input": [{"role": "user", "content": SAID}],
            "output": {"role": "assistant", "content": SAID},
        }
        for number in range(1, SPANS + 1)
    ]


def reports(path: str, agent_id: int, headers: list[str]) -> Callable[[], bytes]:
    """Each call makes the request that reports another run."""
    numbers, run, mark = itertools.count(), token_hex(4), "external-id"
    body = json.dumps(
        {
            "agent_id": agent_id,
            "external_id": mark,
            "status": "succeeded",
            "started_at": START,
            "ended_at": "2026-11-01T10:00:09Z",
            "input": {"messages": [{"role": "user", "content": SAID}]},
            "output": SAID,
            "spans": steps(),
        }
    )

    def following() -> bytes:
        named = body.replace(mark, f"{run}-{next(numbers)}")
        return message("POST", path, headers, named.encode())

    return following


@dataclass(frozen=True, slots=True)
class Operation:
    """The same thing asked of both, and how much of the bare app's rate is aimed at."""

    name: str
    ours: Target
    bare: Target
    aim: float


def operations(stock: Stock, ours: int, bare: int) -> list[Operation]:
    """What is measured, given the ports of the two servers."""
    key = [f"X-API-Key: {stock.api_key}"]
    agent, api = f"/agents/{stock.agent_id}", "/api/v1"
    bare_get = Target(bare, lambda: message("GET", agent))
    config = f"{api}/agents/by-name/{stock.agent_name}/config"
    report = reports(f"{api}/executions", stock.agent_id, key)
    bare_report = reports("/executions", stock.agent_id, [])
    return [
        Operation(
            "get agent", Target(ours, lambda: message("GET", f"{api}{agent}", key)), bare_get, 1.0
        ),
        Operation(
            "list 50 executions",
            Target(ours, lambda: message("GET", f"{api}/executions?limit=50", key)),
            Target(bare, lambda: message("GET", "/executions?limit=50")),
            1.5,
        ),
        Operation(
            "pull config / bare get", Target(ours, lambda: message("GET", config, key)), bare_get, 5
        ),
        # The last one: what it stores is sealed in the background for a while after.
        Operation(
            "post execution, 8 spans",
            Target(ours, report, 201),
            Target(bare, bare_report, 201),
            0.6,
        ),
    ]
