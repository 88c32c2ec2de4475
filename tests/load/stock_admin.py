"""SQLAdmin as it comes, over the tables of runs: the yardstick of ``tests.load.lists``.

It is as its manual has it: a view with columns, a search and a filter, and no login.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from sqladmin import Admin, ModelView
from sqladmin.filters import StaticValuesFilter
from sqlalchemy.ext.asyncio import create_async_engine

from app.models import Execution
from app.models.executions import ExecutionStatus

engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=10)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.get("/health/ready")
async def ready() -> dict[str, str]:
    return {"status": "ready"}


class ExecutionAdmin(ModelView, model=Execution):
    column_list = (
        Execution.id,
        Execution.started_at,
        Execution.agent_id,
        Execution.status,
        Execution.preview,
        Execution.model_name,
        Execution.span_count,
        Execution.input_tokens,
        Execution.cost,
        Execution.latency_ms,
    )
    column_searchable_list = (Execution.preview,)
    column_default_sort = (Execution.started_at.key, True)
    column_filters = (StaticValuesFilter(Execution.status, [(s, s) for s in ExecutionStatus]),)
    page_size = 50
    page_size_options = (50,)


Admin(app, engine).add_view(ExecutionAdmin)
