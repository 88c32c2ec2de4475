"""API keys on pages: made, shown once, rotated, revoked."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Query, Request
from starlette.responses import Response

from app.core.permissions import KEY_SCOPES, Permission
from app.exceptions import AppError
from app.models import ApiKey, AuditEvent
from app.pages import forms, listing
from app.pages.deps import ApiKeyServiceDep, recently_authenticated, requires
from app.pages.render import redirect, render
from app.schemas.api_keys import ApiKeyCreate, ApiKeyQuery, ApiKeyUpdate
from app.schemas.audit_events import AuditQuery
from app.schemas.base import MAX_BIGINT
from app.services.agents import AgentService
from app.services.api_keys import ApiKeyService
from app.services.audit_events import AuditEventService

router = APIRouter(prefix="/keys")
KeyId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
READ = [requires(Permission.KEYS_READ)]
WRITE = [requires(Permission.KEYS_WRITE)]
SENSITIVE = [*WRITE, recently_authenticated]
PAGE_SIZE = 50
LIFETIMES = [("30", "30 days"), ("90", "90 days"), ("365", "1 year"), ("", "Never")]
DEFAULT_DAYS = "90"
UNUSED_DAYS = 30
OVERLAPS = [("0", "None: it stops at once"), ("1", "1 hour"), ("24", "1 day"), ("168", "1 week")]
RANGE_BREAKS = re.compile(r"[\s,;]+")
# What a runtime needs to pull its configuration and report what it did.
USUAL_SCOPES = [Permission.AGENTS_READ, Permission.EXECUTIONS_WRITE]


@router.get("", dependencies=READ)
async def list_keys(
    request: Request,
    keys: ApiKeyServiceDep,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    """One's own; with ``everyone=1`` everyone's, for who manages keys."""
    query = listing.query_of(request, ApiKeyQuery)
    sees_all = keys.actor.may(Permission.KEYS_MANAGE)
    everyone = sees_all and request.query_params.get("everyone") == "1"
    if not everyone:
        query = query.model_copy(update={"user_id": keys.actor.user_id})
    rows = await keys.list_slice(query, cursor, PAGE_SIZE)
    context = {
        "keys": rows.items,
        "links": listing.pager_links(request, rows),
        "now": datetime.now(UTC),
        "may_write": keys.actor.may(Permission.KEYS_WRITE),
        "sees_all": sees_all,
        "everyone": everyone,
        "unused_days": query.unused_days,
        "unused": await keys.count_unused(query.user_id, UNUSED_DAYS),
        "unused_href": listing.href(
            "/keys", {"everyone": "1" if everyone else None, "unused_days": UNUSED_DAYS}
        ),
    }
    return render(request, "pages/keys/list.html", context)


async def form_page(
    request: Request, keys: ApiKeyService, form: forms.Form, status: int = 200
) -> Response:
    agents = await AgentService(keys.session, keys.actor).names()
    context = {
        "form": form,
        "scope_options": [(s.value, s.value, "") for s in KEY_SCOPES if keys.actor.may(s)],
        "agents": [("", "All agents"), *((str(row_id), name) for row_id, name in agents)],
        "lifetimes": LIFETIMES,
    }
    return render(request, "pages/keys/form.html", context, status)


@router.get("/new", dependencies=SENSITIVE)
async def new_key(request: Request, keys: ApiKeyServiceDep) -> Response:
    usual = [scope.value for scope in USUAL_SCOPES]
    agent_id = request.query_params.get("agent_id", "")
    values = {"name": "", "scopes": usual, "agent_id": agent_id, "days": DEFAULT_DAYS}
    return await form_page(request, keys, forms.Form(values))


def key_input(values: dict[str, Any]) -> dict[str, Any]:
    """The form's days as a moment; empty choices left out."""
    given = {"name": values.get("name", ""), "scopes": values.get("scopes", [])}
    if values.get("agent_id"):
        given["agent_id"] = values["agent_id"]
    given["allowed_cidrs"] = RANGE_BREAKS.split(values.get("allowed_cidrs", "").strip())
    if given["allowed_cidrs"] == [""]:
        given.pop("allowed_cidrs")
    days = values.get("days", DEFAULT_DAYS)
    known = days in {value for value, _ in LIFETIMES if value}
    given["expires_at"] = datetime.now(UTC) + timedelta(days=int(days)) if known else None
    return given


@router.post("/new", dependencies=SENSITIVE)
async def create_key(request: Request, keys: ApiKeyServiceDep) -> Response:
    """The answer shows the key: it is not redirected, because nothing may keep the secret."""
    values = forms.typed(await request.form(), lists=("scopes",))
    data, form = forms.parse(ApiKeyCreate, key_input(values))
    form.values |= values
    if data is not None:
        try:
            async with keys.session.begin_nested():
                key, token = await keys.issue(data)
        except AppError as error:
            forms.refuse(form, error)
        else:
            return secret_page(request, key, token)
    return await form_page(request, keys, form, 422)


def secret_page(request: Request, key: ApiKey, token: str) -> Response:
    headers = {"Cache-Control": "no-store"}
    context = {"key": key, "token": token, "origin": str(request.base_url).rstrip("/")}
    return render(request, "pages/keys/created.html", context, 201, headers)


@router.get("/{key_id}", dependencies=READ)
async def show_key(request: Request, key_id: KeyId, keys: ApiKeyServiceDep) -> Response:
    key = await keys.get(key_id)
    events: Sequence[AuditEvent] = []
    if keys.actor.may(Permission.AUDIT_READ):
        audit = AuditEventService(keys.session, keys.actor)
        of_key = AuditQuery(resource="api_keys", resource_id=key_id, limit=20)
        events = (await audit.list_slice(of_key)).items
    context = {
        "key": key,
        "now": datetime.now(UTC),
        "is_own": key.user_id == keys.actor.user_id,
        "may_write": keys.actor.may(Permission.KEYS_WRITE),
        "overlaps": OVERLAPS,
        "events": events,
    }
    return render(request, "pages/keys/detail.html", context)


@router.post("/{key_id}/rename", dependencies=WRITE)
async def rename_key(
    request: Request, key_id: KeyId, keys: ApiKeyServiceDep, name: Annotated[str, Form()] = ""
) -> Response:
    await keys.update(key_id, ApiKeyUpdate(name=name))
    return redirect(request, f"/keys/{key_id}", "saved")


@router.post("/{key_id}/rotate", dependencies=SENSITIVE)
async def rotate_key(
    request: Request,
    key_id: KeyId,
    keys: ApiKeyServiceDep,
    overlap_hours: Annotated[int, Form(ge=0, le=168)] = 24,
) -> Response:
    key, token = await keys.rotate(key_id, timedelta(hours=overlap_hours))
    return secret_page(request, key, token)


@router.post("/{key_id}/revoke", dependencies=WRITE)
async def revoke_key(request: Request, key_id: KeyId, keys: ApiKeyServiceDep) -> Response:
    await keys.revoke(key_id)
    return redirect(request, f"/keys/{key_id}", "revoked")
