"""The description of the API: what generators and readers need beyond the routes themselves."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel

from app.api.errors import ErrorEnvelope

Json = dict[str, Any]  # a part of the description
# Statuses that every route may answer with.
ANYWHERE = (400, 422, 429, 500, 503)
ERRORS = {
    400: ("BAD_REQUEST", "The request cannot be read.", "Its Host or a header is not valid."),
    401: ("UNAUTHORIZED", "No credentials, or none that are valid.", "Send an API key."),
    403: ("FORBIDDEN", "Your role or scopes do not allow it.", "You may not do this."),
    404: ("RESOURCE_NOT_FOUND", "It does not exist, or is not yours to see.", "There is none."),
    409: ("CONFLICT", "It contradicts what is stored.", "You already have one of that name."),
    412: ("PRECONDITION_FAILED", "Someone saved in between.", "You have version 2, it is now 3."),
    413: ("PAYLOAD_TOO_LARGE", "The body is over the limit.", "The body is too large."),
    415: ("UNSUPPORTED_MEDIA_TYPE", "The body is not declared as JSON.", "Send JSON."),
    422: ("VALIDATION_ERROR", "`details` says which field, and why.", "Some input is not valid."),
    429: ("RATE_LIMIT_EXCEEDED", "Come again after `Retry-After` seconds.", "Too many requests."),
    500: ("INTERNAL_ERROR", "A fault of ours; the request id finds it.", "Something went wrong."),
    503: ("DATABASE_ERROR", "Come again after `Retry-After` seconds.", "The database is busy."),
}
RETRY_AFTER = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
ETAG = {"ETag": {"description": "Its row version, for If-Match.", "schema": {"type": "string"}}}
LOCATION = {"Location": {"description": "Where it is now.", "schema": {"type": "string"}}}
TAGS = {
    "auth": "Log in as a person; runtimes use API keys instead.",
    "agents": "Configure agents; read their revisions; pull what is live.",
    "tools": "What agents can call, with arguments described by JSON Schema.",
    "analyses": "Look through an agent's runs: loops, errors, times, costs, with evidence.",
    "executions": "Report runs with their spans; list, read and complete them.",
    "opentelemetry": "Export spans: OTLP over HTTP, as protobuf or JSON.",
    "runs": "Run agents through the model provider.",
    "statistics": "Sums over runs.",
    "jobs": "Work in the background: watch it, cancel it, try it again.",
    "bulk changes": "Change many rows at once: tried dry first, done as a job, undone.",
    "model prices": "What models cost, where the price lists are not to say it.",
    "api keys": "Make, rotate and revoke keys; for people, never for keys.",
    "users": "People, for superusers.",
    "saved views": "Lists as people keep them: filters, a sort and columns under a name.",
    "webhooks": "Tell other systems what happens here; signed as Standard Webhooks 1.0 says.",
    "audit": "Who changed what, for superusers.",
    "operations": "The installation's health as a list of findings, for superusers.",
    "health": "Whether the server lives and can serve.",
}
SPAN = {"span_id": "00f067aa0ba902b7", "kind": "llm", "name": "chat gpt-4o"}
AGENT = {"name": "support-bot", "model": "gpt-4o", "system_prompt": "Be kind.", "max_tokens": 1000}
TOOL = {
    "name": "get_order",
    "description": "Looks an order up.",
    "parameters": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
}
ENDPOINT = {"url": "https://shop.example.com/orders/{id}", "method": "GET"}
RUN = {"agent": "support-bot", "external_id": "run-1", "input": "Where is my order?"}
PRICE = {"model": "gpt-4o*", "provider": "openai", "input_price": "2.4", "output_price": "9.6"}
NEW_PASSWORD = {"password": "Better-Horse-8", "confirm_password": "Better-Horse-8"}
# Bodies to begin with; a test holds each against its schema.
EXAMPLES: dict[str, Json] = {
    "AgentCreate": AGENT,
    "AgentUpdate": {"system_prompt": "Be brief.", "note": "Shorter answers."},
    "AnalysisRequest": {"since": "2026-11-01T00:00:00Z", "limit": 500},
    "ApiKeyCreate": {"name": "ci", "scopes": ["agents:read", "executions:write"]},
    "ApiKeyRotate": {"overlap_hours": 24},
    "ApiKeyUpdate": {"name": "ci of the shop"},
    "BulkChangeCreate": {
        "resource": "agents",
        "action": "add_tag",
        "value": "vip",
        "filter": {"model": "gpt-4o"},
    },
    "BulkChangeStart": {"note": "As agreed with Ada."},
    "BulkChangeUndo": {"dry_run": False, "note": "That was the wrong tag."},
    "ExecutionBatch": {"items": [RUN]},
    "ExecutionCreate": RUN | {"output": "It is on its way.", "spans": [SPAN]},
    "ExecutionUpdate": {"status": "succeeded", "output": "It is on its way."},
    "FeedbackCreate": {"name": "helpful", "value": 1, "comment": "Solved it at once."},
    "IngestReplay": {"ids": [1, 2]},
    "LogoutRequest": {"refresh_token": "…"},
    "ModelPriceCreate": PRICE,
    "ModelPriceUpdate": {"input_price": "2.2", "description": "As agreed for 2027."},
    "PasswordChange": NEW_PASSWORD | {"current_password": "Good-Horse-7"},
    "PasswordForgotten": {"email": "ada@example.com"},
    "PasswordReset": NEW_PASSWORD | {"token": "…"},
    "Pause": {"reason": "It answers in the wrong language."},
    "RecomputeRequest": {"since": "2026-11-01T00:00:00Z"},
    "RefreshRequest": {"refresh_token": "…"},
    "RunCreate": {"input": "Where is my order?", "variables": {"customer": "Ada"}},
    "SavedViewCreate": {
        "resource": "executions",
        "name": "Failed today",
        "filters": {"status": ["failed"], "range": ["24h"]},
    },
    "SavedViewUpdate": {"is_shared": True},
    "ToolCreate": TOOL | {"kind": "http", "endpoint": ENDPOINT},
    "ToolResults": {"results": [{"tool_call_id": "call_1", "content": {"status": "sent"}}]},
    "ToolUpdate": {"description": "Looks an order of the shop up."},
    "ToolHeaders": {"headers": {"Authorization": "Bearer 0123abc"}},
    "UserInvite": {"email": "ada@example.com", "full_name": "Ada Lovelace", "role": "staff"},
    "UserUpdate": {"role": "viewer"},
    "WebhookEndpointCreate": {"url": "https://example.com/hooks", "events": ["execution.failed"]},
    "WebhookEndpointRotate": {"overlap_hours": 24},
    "WebhookEndpointUpdate": {"events": ["execution.failed", "agent.paused"]},
    "Bulk_AgentCreate_": {"items": [AGENT]},
    "Bulk_ToolCreate_": {"items": [TOOL]},
    "Bulk_RowVersion_": {"items": [{"id": 1, "row_version": 3}]},
    "Bulk_Change_AgentUpdate__": {"items": [{"id": 1, "changes": {"is_active": False}}]},
    "Bulk_Change_ToolUpdate__": {"items": [{"id": 1, "changes": {"is_active": False}}]},
    "Bulk_Change_ExecutionUpdate__": {"items": [{"id": 1, "changes": {"status": "failed"}}]},
}


def responses(*statuses: int) -> dict[int | str, Json]:
    """The errors of a route: those of its own and those that any route may have."""
    return {status: error_response(status) for status in sorted({*statuses, *ANYWHERE})}


def error_response(status: int) -> Json:
    code, description, message = ERRORS[status]
    example = {
        "success": False,
        "error": {"code": code, "message": message, "details": []},
        "timestamp": "2026-11-23T10:00:00+00:00",
        "path": "/api/v1/agents",
        "request_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    }
    found: Json = {
        "model": ErrorEnvelope,
        "description": description,
        "content": {"application/json": {"example": example}},
    }
    return found | ({"headers": RETRY_AFTER} if status in {429, 503} else {})


def created(model: Any, *, versioned: bool = True) -> dict[int | str, Json]:
    """What a POST that creates answers with."""
    headers = LOCATION | (ETAG if versioned else {})
    return {201: {"model": model, "description": "Created.", "headers": headers}}


def accepted(model: type[BaseModel]) -> dict[int | str, Json]:
    """What a POST that asks for work in the background answers with."""
    return {202: {"model": model, "description": "Will be done.", "headers": LOCATION}}


def operation_id(route: APIRoute) -> str:
    """The function's name: what a generated client calls it."""
    return route.name


def describe(app: FastAPI) -> Callable[[], Json]:
    """``app.openapi`` with examples."""
    plain = app.openapi

    def described() -> Json:
        if app.openapi_schema is None:
            schemas = plain()["components"]["schemas"]
            for name, example in EXAMPLES.items():
                schemas[name]["examples"] = [example]
        schema: Json = app.openapi_schema or {}
        # The name of the instance may be changed while everything runs.
        return schema | {"info": schema["info"] | {"title": app.state.settings.project_name}}

    return described
