"""API keys over JSON: for staff in a browser session; keys cannot make keys."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from app.api.deps import ApiKeyServiceDep, recently_authenticated, requires
from app.api.idempotency import OnceDep
from app.api.openapi import created
from app.api.strict_json import StrictRoute
from app.api.v1.pages import CHANGE_ERRORS, CREATE_ERRORS, LIST_ERRORS, READ_ERRORS, page_of
from app.core.permissions import Permission
from app.models import ApiKey
from app.schemas.api_keys import (
    ApiKeyCreate,
    ApiKeyCreated,
    ApiKeyQuery,
    ApiKeyRead,
    ApiKeyRotate,
    ApiKeyUpdate,
)
from app.schemas.base import MAX_BIGINT, Page

router = APIRouter(prefix="/api-keys", tags=["api keys"], route_class=StrictRoute)
KeyId = Annotated[int, Path(ge=1, le=MAX_BIGINT, description="Its id.")]

READ = [requires(Permission.KEYS_READ)]
WRITE = [requires(Permission.KEYS_WRITE)]
SENSITIVE = [*WRITE, recently_authenticated]


@router.post(
    "",
    status_code=201,
    response_model=ApiKeyCreated,
    dependencies=SENSITIVE,
    responses={**created(ApiKeyCreated, versioned=False), **CREATE_ERRORS},
)
async def create_api_key(
    data: ApiKeyCreate,
    keys: ApiKeyServiceDep,
    request: Request,
    response: Response,
    once: OnceDep,
) -> ApiKeyCreated:
    """Issue a key. This answer is the only place that ever shows it."""
    issued = shown_once(*await keys.issue(data), request, response)
    return await once.keep(issued, response, 201, shown_once="key")


def shown_once(key: ApiKey, token: str, request: Request, response: Response) -> ApiKeyCreated:
    response.headers["Location"] = f"{request.app.url_path_for('get_api_key', key_id=key.id)}"
    response.headers["Cache-Control"] = "no-store"
    return ApiKeyCreated(**ApiKeyRead.model_validate(key).model_dump(), key=token)


@router.post(
    "/{key_id}/rotate",
    status_code=201,
    response_model=ApiKeyCreated,
    dependencies=SENSITIVE,
    responses={**created(ApiKeyCreated, versioned=False), **CHANGE_ERRORS},
)
async def rotate_api_key(
    key_id: KeyId,
    keys: ApiKeyServiceDep,
    request: Request,
    response: Response,
    once: OnceDep,
    data: ApiKeyRotate | None = None,
) -> ApiKeyCreated:
    """A new key like this one, shown once; the old one goes on working for the overlap."""
    overlap = timedelta(hours=(data or ApiKeyRotate()).overlap_hours)
    issued = shown_once(*await keys.rotate(key_id, overlap), request, response)
    return await once.keep(issued, response, 201, shown_once="key")


@router.patch("/{key_id}", response_model=ApiKeyRead, dependencies=WRITE, responses=CHANGE_ERRORS)
async def rename_api_key(key_id: KeyId, data: ApiKeyUpdate, keys: ApiKeyServiceDep) -> ApiKey:
    """Give the key another name; what it may do stays as it was made."""
    await keys.update(key_id, data)
    return await keys.get(key_id)


@router.get("", response_model=Page[ApiKeyRead], dependencies=READ, responses=LIST_ERRORS)
async def list_api_keys(query: Annotated[ApiKeyQuery, Query()], keys: ApiKeyServiceDep) -> Any:
    """Your own keys; everyone's for who manages keys."""
    return page_of(await keys.list_page(query), query)


@router.get("/{key_id}", response_model=ApiKeyRead, dependencies=READ, responses=READ_ERRORS)
async def get_api_key(key_id: KeyId, keys: ApiKeyServiceDep) -> ApiKey:
    """One key, without its secret."""
    return await keys.get(key_id)


@router.delete("/{key_id}", status_code=204, dependencies=WRITE, responses=CHANGE_ERRORS)
async def revoke_api_key(key_id: KeyId, keys: ApiKeyServiceDep) -> None:
    """Revoke the key: from this answer on it opens nothing."""
    await keys.revoke(key_id)
