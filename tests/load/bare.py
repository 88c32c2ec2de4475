"""What anyone would write in an afternoon: FastAPI and the ORM, no keys, limits, audit or search.

It is the yardstick of the load test, so it is as its libraries' tutorials have it.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import uuid4

from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import joinedload, selectinload

from app.models import Agent, Execution, ExecutionBody, Span, SpanBody
from app.models.executions import ExecutionSource, ExecutionStatus
from app.models.spans import SpanKind, SpanStatus
from app.schemas.agents import AgentRead
from app.schemas.executions import ExecutionRead
from app.schemas.spans import nanoseconds


class SpanIn(BaseModel):
    span_id: str
    parent_span_id: str | None = None
    kind: SpanKind = SpanKind.OTHER
    name: str
    started_at: datetime
    ended_at: datetime | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    input: Any = None  # any JSON value
    output: Any = None  # any JSON value


class ExecutionIn(BaseModel):
    agent_id: int
    external_id: str | None = None
    status: ExecutionStatus
    started_at: datetime
    ended_at: datetime | None = None
    input: Any = None  # any JSON value
    output: Any = None  # any JSON value
    spans: list[SpanIn] = []


async def get_session(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.app.state.sessions() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(get_session)]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=10)
    app.state.sessions = async_sessionmaker(engine, expire_on_commit=False)
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.get("/health/ready")
async def ready() -> dict[str, str]:
    return {"status": "ready"}


@app.get("/agents/{agent_id}", response_model=AgentRead)
async def get_agent(agent_id: int, session: SessionDep) -> Agent:
    relations = (selectinload(Agent.tools), joinedload(Agent.live_revision))
    agent = await session.get(Agent, agent_id, options=relations)
    if agent is None:
        raise HTTPException(404)
    return agent


@app.get("/executions", response_model=list[ExecutionRead])
async def list_executions(session: SessionDep, limit: int = 50) -> list[Execution]:
    newest = select(Execution).order_by(Execution.started_at.desc(), Execution.id.desc())
    return list(await session.scalars(newest.limit(limit)))


@app.post("/executions", status_code=201, response_model=ExecutionRead)
async def create_execution(data: ExecutionIn, session: SessionDep) -> Execution:
    agent = await session.get(Agent, data.agent_id)
    if agent is None:
        raise HTTPException(404)
    execution = execution_of(data, agent)
    session.add(execution)
    await session.flush()  # what hangs on the run needs its id
    session.add(
        ExecutionBody(
            execution_id=execution.id,
            started_at=execution.started_at,
            input=data.input,
            output=data.output,
        )
    )
    for span in data.spans:
        session.add_all(rows_of(execution, span))
    await session.commit()
    return execution


def execution_of(data: ExecutionIn, agent: Agent) -> Execution:
    return Execution(
        agent_id=agent.id,
        agent_revision_id=agent.live_revision_id,
        trace_id=uuid4().bytes,
        external_id=data.external_id,
        status=data.status,
        source=ExecutionSource.API,
        started_at=data.started_at,
        ended_at=data.ended_at,
        span_count=len(data.spans),
        input_tokens=sum(span.input_tokens or 0 for span in data.spans),
        output_tokens=sum(span.output_tokens or 0 for span in data.spans),
    )


def rows_of(execution: Execution, span: SpanIn) -> tuple[Span, SpanBody]:
    key = {
        "trace_id": execution.trace_id,
        "span_id": bytes.fromhex(span.span_id),
        "started_at": span.started_at.astimezone(UTC),
    }
    narrow = Span(
        **key,
        execution_id=execution.id,
        parent_span_id=bytes.fromhex(span.parent_span_id) if span.parent_span_id else None,
        kind=span.kind,
        name=span.name,
        status=SpanStatus.UNSET,
        start_ns=nanoseconds(span.started_at),
        end_ns=nanoseconds(span.ended_at) if span.ended_at else None,
        input_tokens=span.input_tokens,
        output_tokens=span.output_tokens,
    )
    return narrow, SpanBody(**key, input=span.input, output=span.output)
