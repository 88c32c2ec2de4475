"""Version 1 of the JSON API: one router a resource."""

from fastapi import APIRouter

from app.api.v1 import (
    agents,
    analyses,
    api_keys,
    audit_events,
    auth,
    bulk_changes,
    executions,
    ingest_batches,
    jobs,
    model_prices,
    operations,
    pauses,
    rooms,
    runs,
    saved_views,
    statistics,
    tool_calls,
    tools,
    users,
    webhook_endpoints,
)

# A request is compared with one after the other: those that machines use come first.
ROUTERS: tuple[APIRouter, ...] = (
    agents.router,
    executions.router,
    runs.router,
    auth.router,
    tools.router,
    tool_calls.router,
    statistics.router,
    jobs.router,
    bulk_changes.router,
    model_prices.router,
    ingest_batches.router,
    analyses.router,
    api_keys.router,
    pauses.router,
    users.router,
    audit_events.router,
    webhook_endpoints.router,
    saved_views.router,
    operations.router,
    rooms.router,
)
