"""API keys on pages: made, shown once, rotated, revoked."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Query, Request
from starlette.responses import Response

from app.core.permissions import KEY_SCOPES, Permission
from app.core.texts import _, lazy
from app.exceptions import AppError
from app.models import ApiKey, BulkResource, ListName
from app.pages import exports, forms
from app.pages.audit_view import AuditLine, lines_about
from app.pages.bulk_view import selection_of
from app.pages.deps import ApiKeyServiceDep, recently_authenticated, requires
from app.pages.key_list import COLUMNS, key_filters
from app.pages.list_table import Column
from app.pages.list_views import Offered, framed, opened
from app.pages.render import redirect, render, wants_fragment
from app.schemas.api_keys import ApiKeyCreate, ApiKeyPageQuery, ApiKeyUpdate
from app.schemas.base import MAX_BIGINT
from app.schemas.exports import ExportFormat
from app.services import export_sources
from app.services.agents import AgentService
from app.services.api_keys import RUNS_LOOKED_AT, ApiKeyService
from app.services.audit_events import AuditEventService
from app.services.config_pulls import ConfigPullService

router = APIRouter(prefix="/keys")
KeyId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
READ = [requires(Permission.KEYS_READ)]
WRITE = [requires(Permission.KEYS_WRITE)]
SENSITIVE = [*WRITE, recently_authenticated]
PAGE_SIZE = 50
DEFAULT_DAYS, FOR_EVER = "90", ""
LIFETIMES = [
    ("7", lazy("7 days")),
    ("30", lazy("30 days")),
    (DEFAULT_DAYS, lazy("90 days")),
    ("365", lazy("1 year")),
    (FOR_EVER, lazy("Never")),
]
DAYS = frozenset(value for value, _ in LIFETIMES if value)
UNUSED_DAYS = 30
EVENTS_SHOWN = 20
OVERLAPS = [
    ("0", lazy("No time: it stops at once")),
    ("1", lazy("1 hour")),
    ("24", lazy("1 day")),
    ("72", lazy("3 days")),
    ("168", lazy("1 week")),
]
RANGE_BREAKS = re.compile(r"[\s,;]+")
SCOPE_HINTS = {
    Permission.AGENTS_READ: lazy("List agents and pull their configuration."),
    Permission.AGENTS_WRITE: lazy("Make agents, and change what they are told to do."),
    Permission.AGENTS_DELETE: lazy("Move agents to the trash and bring them back."),
    Permission.TOOLS_READ: lazy("List tools."),
    Permission.TOOLS_WRITE: lazy("Make and change tools."),
    Permission.TOOLS_DELETE: lazy("Move tools to the trash and bring them back."),
    Permission.AGENTS_RUN: lazy("Run agents through the model provider, and cancel runs."),
    Permission.EXECUTIONS_READ: lazy("Read runs, with what was said in them."),
    Permission.EXECUTIONS_WRITE: lazy("Report runs and their feedback."),
    Permission.EXECUTIONS_DELETE: lazy("Move runs to the trash and bring them back."),
    Permission.JOBS_READ: lazy("See background jobs and what came of them."),
    Permission.JOBS_WRITE: lazy("Cancel background jobs and try them again."),
    Permission.PRICES_READ: lazy("See what models cost."),
}
# What a runtime needs to pull its configuration and report what it did.
USUAL_SCOPES = [Permission.AGENTS_READ, Permission.EXECUTIONS_WRITE]


def asked(keys: ApiKeyService, query: ApiKeyPageQuery) -> ApiKeyPageQuery:
    """One's own keys, unless everyone's are asked for by who manages keys."""
    if query.everyone and keys.actor.may(Permission.KEYS_MANAGE):
        return query
    return query.model_copy(update={"user_id": keys.actor.user_id, "everyone": False})


@router.get("", dependencies=READ)
async def list_keys(
    request: Request,
    keys: ApiKeyServiceDep,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    """One's own; with ``everyone=true`` everyone's, for who manages keys."""
    state, views = await opened(request, keys, ListName.API_KEYS)
    if views.goes_to:
        return redirect(request, views.goes_to)
    query = asked(keys, state.query(ApiKeyPageQuery, sort=state.sort or None))
    rows = await keys.list_slice(query, cursor, PAGE_SIZE)
    offered = Offered(columns(query), await key_filters(keys, everyone=query.everyone))
    context = {
        "query": query,
        "keys": rows.items,
        "now": datetime.now(UTC),
        "may_write": keys.actor.may(Permission.KEYS_WRITE),
        "sees_all": keys.actor.may(Permission.KEYS_MANAGE),
        "selection": selection_of(keys.actor, BulkResource.API_KEYS),
        "unused": await keys.count_unused(query.user_id, UNUSED_DAYS),
        "unused_href": state.href(["state"], unused_days=UNUSED_DAYS),
        **framed(request, (state, views), rows, query, offered),
    }
    name = "_rows.html" if wants_fragment(request) else "list.html"
    return render(request, f"pages/keys/{name}", context)


def columns(query: ApiKeyPageQuery) -> list[Column]:
    """Whose a key is, is shown where they are of several people."""
    return [
        replace(column, is_default=True) if column.key == "owner" and query.everyone else column
        for column in COLUMNS
    ]


@router.get("/export", dependencies=[*READ, recently_authenticated])
async def export_keys(
    request: Request, keys: ApiKeyServiceDep, form: exports.FormatQuery = ExportFormat.CSV
) -> Response:
    """All that the list's filters match, in its order."""
    query, _ = exports.listed(request, ListName.API_KEYS, ApiKeyPageQuery)
    export = export_sources.api_keys(keys.actor, asked(keys, query))
    return await exports.answer(request, keys.actor, export, form)


async def form_page(
    request: Request, keys: ApiKeyService, form: forms.Form, status: int = 200
) -> Response:
    agents = await AgentService(keys.session, keys.actor).names()
    context = {
        "form": form,
        "scope_options": [
            (s.value, s.value, SCOPE_HINTS[s]) for s in KEY_SCOPES if keys.actor.may(s)
        ],
        "agents": [("", _("All agents")), *((str(row_id), name) for row_id, name in agents)],
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
    given["expires_at"] = datetime.now(UTC) + timedelta(days=int(days)) if days in DAYS else None
    return given


def parse_key(values: dict[str, Any]) -> tuple[ApiKeyCreate | None, forms.Form]:
    data, form = forms.parse(ApiKeyCreate, key_input(values))
    form.values |= values
    # A lifetime that is not on offer must not come to mean for ever.
    if values.get("days", DEFAULT_DAYS) not in {*DAYS, FOR_EVER}:
        form.errors["days"] = _("choose one of these")
    return (None if form.errors else data), form


@router.post("/new", dependencies=SENSITIVE)
async def create_key(request: Request, keys: ApiKeyServiceDep) -> Response:
    """The answer shows the key: it is not redirected, because nothing may keep the secret."""
    data, form = parse_key(forms.typed(await request.form(), lists=("scopes",)))
    if data is not None:
        try:
            async with keys.session.begin_nested():
                key, token = await keys.issue(data)
        except AppError as error:
            forms.refuse(form, error)
        else:
            return secret_page(request, key, token)
    return await form_page(request, keys, form, 422)


def secret_page(
    request: Request, key: ApiKey, token: str, replaced: ApiKey | None = None
) -> Response:
    headers = {"Cache-Control": "no-store"}
    context = {
        "key": key,
        "token": token,
        "origin": str(request.base_url).rstrip("/"),
        "now": datetime.now(UTC),
        "replaced": replaced,
    }
    return render(request, "pages/keys/created.html", context, 201, headers)


@router.get("/{key_id}", dependencies=READ)
async def show_key(request: Request, key_id: KeyId, keys: ApiKeyServiceDep) -> Response:
    key = await keys.get(key_id)
    return await detail_page(request, keys, key, forms.Form({"name": key.name}))


async def detail_page(
    request: Request, keys: ApiKeyService, key: ApiKey, form: forms.Form, status: int = 200
) -> Response:
    relatives = await keys.relatives(key)
    runs, runs_looked_at = await keys.count_runs(key)
    context = {
        "key": key,
        "form": form,
        "now": datetime.now(UTC),
        "is_own": key.user_id == keys.actor.user_id,
        "may_write": keys.actor.may(Permission.KEYS_WRITE),
        "sees_people": keys.actor.may(Permission.USERS_READ),
        "overlaps": OVERLAPS,
        "successor": next((k for k in relatives if k.id == key.replaced_by_id), None),
        "predecessor": next((k for k in relatives if k.replaced_by_id == key.id), None),
        "pulls": await ConfigPullService(keys.session, keys.actor).of_key(key),
        "runs": runs,
        "runs_looked_at": runs_looked_at if runs_looked_at >= RUNS_LOOKED_AT else None,
        "reads_audit": keys.actor.may(Permission.AUDIT_READ),
        "lines": await audit_lines(keys, key),
    }
    return render(request, "pages/keys/detail.html", context, status)


async def audit_lines(keys: ApiKeyService, key: ApiKey) -> list[AuditLine]:
    """What happened to the key, newest first, for who may read the audit log."""
    if not keys.actor.may(Permission.AUDIT_READ):
        return []
    audit = AuditEventService(keys.session, keys.actor)
    return await lines_about(audit, "api_keys", key.id, EVENTS_SHOWN)


@router.post("/{key_id}/rename", dependencies=WRITE)
async def rename_key(request: Request, key_id: KeyId, keys: ApiKeyServiceDep) -> Response:
    key = await keys.get(key_id)
    data, form = forms.parse(ApiKeyUpdate, forms.typed(await request.form()))
    if data is None:
        return await detail_page(request, keys, key, form, 422)
    await keys.update(key_id, data)
    return redirect(request, f"/keys/{key_id}", "saved")


@router.post("/{key_id}/rotate", dependencies=SENSITIVE)
async def rotate_key(
    request: Request,
    key_id: KeyId,
    keys: ApiKeyServiceDep,
    overlap_hours: Annotated[int, Form(ge=0, le=168)] = 24,
) -> Response:
    key, token = await keys.rotate(key_id, timedelta(hours=overlap_hours))
    return secret_page(request, key, token, await keys.get(key_id))


@router.post("/{key_id}/revoke", dependencies=WRITE)
async def revoke_key(request: Request, key_id: KeyId, keys: ApiKeyServiceDep) -> Response:
    await keys.revoke(key_id)
    return redirect(request, f"/keys/{key_id}", "revoked")
