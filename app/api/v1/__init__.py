"""Version 1 of the JSON API: one router a resource."""

from fastapi import APIRouter

from app.api.v1 import agents, api_keys, audit_events, auth, executions, statistics, tools, users

ROUTERS: tuple[APIRouter, ...] = (
    auth.router,
    agents.router,
    tools.router,
    executions.router,
    statistics.router,
    api_keys.router,
    users.router,
    audit_events.router,
)
