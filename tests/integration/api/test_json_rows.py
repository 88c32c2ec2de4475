"""Lists that PostgreSQL writes as JSON are, to the letter, what their schema would write."""

import httpx2
import pydantic_core
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import User
from app.schemas.executions import ExecutionRead
from tests.conftest import actor_for
from tests.factories.agents import make_agent
from tests.factories.clients import key_headers
from tests.factories.executions import make_execution

VALUES = {
    "odd text": {"external_id": 'ü "quoted" \\ </script> \n 漢', "tags": ["a,b", 'c"d', "é"]},
    "nothing known": {"spans": [], "ended_at": None, "status": "running", "output": None},
    "cost": {"cost": "0.000000001", "input_tokens": 0, "output_tokens": 2**40},
    "large cost": {"cost": "123456789.5", "session_id": "s", "error_type": "E"},
    "part of a second": {"started_at": "2026-11-01T10:00:00.000001Z"},
    "tenth of a second": {"started_at": "2026-11-01T12:00:00.1+03:00"},
    "old": {"started_at": "1970-01-01T00:00:00Z", "model": "m"},
}


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
async def test_listed_run_is_written_as_its_schema_writes_it(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User, values: dict[str, object]
) -> None:
    agent = await make_agent(session, actor_for(staff))
    execution = await make_execution(session, actor_for(staff), agent, **values)
    answer = await client.get("/api/v1/executions", headers=await key_headers(session, staff))
    assert answer.headers["content-type"] == "application/json"
    expected = ExecutionRead.model_validate(execution).model_dump_json(by_alias=True)
    assert pydantic_core.from_json(expected) == answer.json()["items"][0]
    assert answer.json()["items"][0]["trace_id"] == execution.trace_hex
