"""API keys on pages: made, shown once, revoked."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from app.core.permissions import KEY_SCOPES, Permission
from app.exceptions import AppError
from app.pages import forms, listing
from app.pages.deps import ApiKeyServiceDep, requires
from app.pages.render import redirect, render
from app.schemas.api_keys import ApiKeyCreate, ApiKeyQuery
from app.schemas.base import MAX_BIGINT
from app.services.agents import AgentService
from app.services.api_keys import ApiKeyService

router = APIRouter(prefix="/keys")
KeyId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
READ = [requires(Permission.KEYS_READ)]
WRITE = [requires(Permission.KEYS_WRITE)]
PAGE_SIZE = 50
LIFETIMES = [("30", "30 days"), ("90", "90 days"), ("365", "1 year"), ("", "Never")]
DEFAULT_DAYS = "90"
# What a runtime needs to pull its configuration and report what it did.
USUAL_SCOPES = [Permission.AGENTS_READ, Permission.EXECUTIONS_WRITE]


@router.get("", dependencies=READ)
async def list_keys(
    request: Request,
    keys: ApiKeyServiceDep,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    rows = await keys.list_slice(ApiKeyQuery(), cursor, PAGE_SIZE)
    context = {
        "keys": rows.items,
        "links": listing.pager_links(request, rows),
        "now": datetime.now(UTC),
        "may_write": keys.actor.may(Permission.KEYS_WRITE),
        "sees_all": keys.actor.may(Permission.KEYS_MANAGE),
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


@router.get("/new", dependencies=WRITE)
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
    days = values.get("days", DEFAULT_DAYS)
    if days in {value for value, _ in LIFETIMES if value}:
        given["expires_at"] = datetime.now(UTC) + timedelta(days=int(days))
    return given


@router.post("/new", dependencies=WRITE)
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
            headers = {"Cache-Control": "no-store"}
            context = {"key": key, "token": token, "origin": str(request.base_url).rstrip("/")}
            return render(request, "pages/keys/created.html", context, 201, headers)
    return await form_page(request, keys, form, 422)


@router.post("/{key_id}/revoke", dependencies=WRITE)
async def revoke_key(request: Request, key_id: KeyId, keys: ApiKeyServiceDep) -> Response:
    await keys.revoke(key_id)
    return redirect(request, "/keys", "revoked")
