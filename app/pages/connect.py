"""Connect your agent: a key, what to paste, and a light that turns green with the first span."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from app.core.permissions import Permission
from app.core.texts import _
from app.exceptions import AppError
from app.models import ApiKey
from app.pages import forms
from app.pages.connect_snippets import PLACEHOLDER, SNIPPETS, snippet_of, variables
from app.pages.deps import ApiKeyServiceDep, recently_authenticated, requires
from app.pages.render import render, wants_fragment
from app.schemas.api_keys import ApiKeyCreate
from app.schemas.base import MAX_BIGINT
from app.services.agents import AgentService
from app.services.api_keys import ApiKeyService
from app.services.ingest_batches import IngestBatchService

router = APIRouter(prefix="/connect")
KeyId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
READ = [requires(Permission.EXECUTIONS_READ), requires(Permission.KEYS_READ)]
MAKE = [requires(Permission.KEYS_WRITE), recently_authenticated]
DEFAULT_NAME = "my-agent"


def origin_of(request: Request) -> str:
    """The address of this instance as runtimes reach it."""
    public: str | None = request.app.state.settings.public_origin
    return public or str(request.base_url).rstrip("/")


async def page(
    request: Request,
    keys: ApiKeyService,
    form: forms.Form,
    issued: tuple[ApiKey, str] | None = None,
    status: int = 200,
) -> Response:
    """With the key that was just made, or that of ``?key=``, whose secret is not shown again."""
    key = issued[0] if issued else await chosen(request, keys)
    token = issued[1] if issued else None
    agents = await AgentService(keys.session, keys.actor).names()
    context = {
        "form": form,
        "key": key,
        "token": token,
        "variables": variables(origin_of(request), token or PLACEHOLDER),
        "agents": [("", _("Found by name, or made")), *((str(i), name) for i, name in agents)],
        "may_make": keys.actor.may(Permission.KEYS_WRITE)
        and keys.actor.may(Permission.EXECUTIONS_WRITE),
        **await arrival(keys, key),
        **tabs(form.values["framework"] or request.query_params.get("framework", ""), key),
    }
    headers = {"Cache-Control": "no-store"} if token else {}
    return render(request, "pages/connect/detail.html", context, status, headers)


async def chosen(request: Request, keys: ApiKeyService) -> ApiKey | None:
    given = request.query_params.get("key", "")
    is_id = given.isascii() and given.isdigit() and len(given) < 19
    return await keys.find(int(given)) if is_id else None


async def arrival(keys: ApiKeyService, key: ApiKey | None) -> dict[str, Any]:
    batches = IngestBatchService(keys.session, keys.actor)
    return {"arrival": await batches.arrival(key.id) if key else None}


def tabs(framework: str, key: ApiKey | None) -> dict[str, Any]:
    """The snippet, and links to the others."""
    chosen_key = f"&key={key.id}" if key else ""
    shown = snippet_of(framework)
    links = [(each, f"/connect?framework={each.key}{chosen_key}") for each in SNIPPETS]
    return {"snippet": shown, "links": links}


@router.get("", dependencies=READ)
async def show_connect(
    request: Request,
    keys: ApiKeyServiceDep,
    agent_id: Annotated[str, Query(max_length=20)] = "",
    framework: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    if wants_fragment(request):
        context = tabs(framework, await chosen(request, keys))
        return render(request, "pages/connect/_snippets.html", context)
    values = {"name": DEFAULT_NAME, "agent_id": agent_id, "framework": framework}
    return await page(request, keys, forms.Form(values))


@router.post("", dependencies=MAKE)
async def make_key(request: Request, keys: ApiKeyServiceDep) -> Response:
    """The answer shows the key, which nothing keeps."""
    values = forms.typed(await request.form())
    given: dict[str, Any] = {"name": values.get("name", "")}
    given |= {"agent_id": values["agent_id"]} if values.get("agent_id") else {}
    scopes = [Permission.EXECUTIONS_WRITE.value]
    data, form = forms.parse(ApiKeyCreate, given | {"scopes": scopes})
    form.values |= values
    if data is not None:
        try:
            async with keys.session.begin_nested():
                issued = await keys.issue(data)
        except AppError as error:
            forms.refuse(form, error)
        else:
            return await page(request, keys, form, issued, 201)
    return await page(request, keys, form, status=422)


@router.get("/{key_id}", dependencies=READ)
async def show_arrival(request: Request, key_id: KeyId, keys: ApiKeyServiceDep) -> Response:
    """Whether spans came in with the key: the part of the page that is fetched anew."""
    key = await keys.get(key_id)
    context = {"key": key, **await arrival(keys, key)}
    if wants_fragment(request):
        return render(request, "pages/connect/_arrival.html", context)
    return await page(request, keys, forms.Form({"name": key.name}))
