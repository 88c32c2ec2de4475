"""The staff surface: server-rendered pages over the same services."""

from fastapi import FastAPI

from app.pages import (
    account,
    agent_revisions,
    agents,
    agents_live,
    analyses,
    api_keys,
    audit_events,
    bulk_changes,
    comparisons,
    connect,
    dashboard,
    erasures,
    execution_feedback,
    execution_traces,
    executions,
    imports,
    ingest_batches,
    instance_settings,
    jobs,
    login,
    manual,
    model_prices,
    operations,
    passwords,
    pauses,
    playground,
    retention,
    saved_views,
    search,
    tools,
    trash,
    users,
    webhook_endpoints,
)
from app.pages.render import render_error

ROUTERS = (
    login.router,
    account.router,
    passwords.router,
    dashboard.router,
    *imports.ROUTERS,
    agents.router,
    agents_live.router,
    agent_revisions.router,
    analyses.router,
    playground.router,
    tools.router,
    pauses.router,
    executions.router,
    comparisons.router,
    execution_traces.router,
    execution_feedback.router,
    jobs.router,
    bulk_changes.router,
    model_prices.router,
    ingest_batches.router,
    connect.router,
    erasures.router,
    users.router,
    api_keys.router,
    audit_events.router,
    webhook_endpoints.router,
    operations.router,
    retention.router,
    instance_settings.router,
    trash.router,
    search.router,
    saved_views.router,
    manual.router,
)

__all__ = ["ROUTERS", "include", "render_error"]


def include(app: FastAPI) -> None:
    for router in ROUTERS:
        app.include_router(router, include_in_schema=False)
