"""Runs that are long in steps, in messages, or in what one message holds."""

from typing import Any

from app.core.database import Database
from app.core.migrations import migrate
from app.core.permissions import Role
from app.models import Agent
from tests.conftest import actor_for, settings_for
from tests.factories.agents import make_agent
from tests.factories.executions import make_execution
from tests.factories.users import make_session_token, make_user

Json = Any  # a JSON value
BEGAN_NS = 1_790_000_000_000_000_000
STEP_NS = 40_000_000
GROUP = 49  # steps below each agent that another one hands work to
MEGABYTE = 1_000_000
WORDS = "The customer asks for a window seat on the flight to Rome. "


def step(number: int, parent: int | None, kind: str, **values: Json) -> Json:
    began = BEGAN_NS + number * STEP_NS
    return {
        "span_id": f"{number + 1:016x}",
        "parent_span_id": None if parent is None else f"{parent + 1:016x}",
        "kind": kind,
        "name": f"{kind} {number}",
        "start_ns": began,
        "end_ns": began + STEP_NS - 1,
        "attributes": {"gen_ai.request.temperature": 0.2, "thread": number % 7},
    } | values


def asked(number: int, times: int = 3) -> Json:
    return {"role": "user", "content": f"Question {number}: {WORDS * times}"}


def answered(number: int, times: int = 3) -> Json:
    return {"role": "assistant", "content": f"Answer {number}: {WORDS * times}"}


def calling(number: int) -> Json:
    function = {"name": "find_seat", "arguments": f'{{"row": {number}}}'}
    calls = [{"id": f"c{number}", "type": "function", "function": function}]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def found(number: int) -> Json:
    return {"role": "tool", "tool_call_id": f"c{number}", "content": f"Seat {number} is free."}


def of_steps(count: int) -> list[Json]:
    """Agents below an agent, each with a history of its own that every model call is given."""
    spans = [step(0, None, "agent")]
    above, history = 0, list[Json]()
    while len(spans) < count:
        number = len(spans)
        if number % GROUP == 1:
            above, history = number, [{"role": "system", "content": WORDS}, asked(number)]
            spans.append(step(number, 0, "agent"))
        elif number % 2 == 0:
            wanted = calling(number)
            spans.append(step(number, above, "llm", input=list(history), output=wanted))
            history.append(wanted)
        else:
            called = {"gen_ai.tool.call.id": f"c{number - 1}"}
            result = {"output": f"Seat {number - 1} is free.", "tool_name": "find_seat"}
            failed = {"status": "error"} if number % 20 == 1 else {}
            spans.append(step(number, above, "tool", attributes=called, **result, **failed))
            history.append(found(number - 1))
    return spans


def of_messages(count: int) -> list[Json]:
    """One call of a model that is given all of a long conversation."""
    told = [asked(n) if n % 2 else answered(n) for n in range(1, count)]
    return [step(0, None, "llm", input=told, output=answered(count))]


def of_calls(count: int, each: int = 20) -> list[Json]:
    """A conversation that comes back whole at every ``each``-th of its messages."""
    told = [asked(n) if n % 2 else answered(n) for n in range(count)]
    ends = range(each - 1, count, each)
    return [step(n, None, "llm", input=told[:end], output=told[end]) for n, end in enumerate(ends)]


def of_megabytes(count: int) -> list[Json]:
    times = MEGABYTE // len(WORDS)
    told = [asked(n, times) if n % 2 else answered(n, times) for n in range(1, count)]
    return [step(0, None, "llm", input=told, output=answered(count, times))]


RUNS = {
    "50 steps": of_steps(50),
    "500 steps": of_steps(500),
    "5,000 steps": of_steps(5_000),
    "2,000 messages in one step": of_messages(2_000),
    "2,000 messages in 100 steps": of_calls(2_000),
    "4 messages of 1 MB": of_megabytes(4),
}


async def fill(url: str) -> tuple[str, dict[str, int]]:
    """Migrate and fill the database: a superuser's session token, and the ids of the runs."""
    database = Database.from_settings(settings_for(url))
    try:
        await migrate(database.engine)
        async with database.unit_of_work() as session:
            user = await make_user(session, Role.SUPERUSER)
            actor = actor_for(user)
            agent: Agent = await make_agent(session, actor, name="long")
            runs = {
                name: (await make_execution(session, actor, agent, spans=spans)).id
                for name, spans in RUNS.items()
            }
            token = await make_session_token(session, user)
        return token, runs
    finally:
        await database.dispose()
