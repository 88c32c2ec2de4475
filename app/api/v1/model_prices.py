"""Prices of models over JSON, and costs computed anew with them."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from app.api.conditional import UNCHANGED, IfNoneMatchDep
from app.api.deps import IfMatchDep, etag, requires, service
from app.api.idempotency import OnceDep
from app.api.openapi import accepted, created
from app.api.strict_json import StrictRoute
from app.api.v1.pages import CHANGE_ERRORS, CREATE_ERRORS, LIST_ERRORS, READ_ERRORS, page_of
from app.core.permissions import Permission
from app.models import ModelPrice
from app.schemas.base import MAX_BIGINT, Page
from app.schemas.jobs import JobRead
from app.schemas.model_prices import (
    ModelPriceCreate,
    ModelPriceQuery,
    ModelPriceRead,
    ModelPriceUpdate,
    RecomputeRequest,
)
from app.services.model_prices import ModelPriceService
from app.services.recomputing import RecomputingService

router = APIRouter(prefix="/model-prices", tags=["model prices"], route_class=StrictRoute)
PriceId = Annotated[int, Path(ge=1, le=MAX_BIGINT, description="Its id.")]
ModelPriceServiceDep = Annotated[ModelPriceService, Depends(service(ModelPriceService))]
RecomputingServiceDep = Annotated[RecomputingService, Depends(service(RecomputingService))]

READ = [requires(Permission.PRICES_READ)]
MANAGE = [requires(Permission.PRICES_MANAGE)]


@router.post(
    "",
    status_code=201,
    response_model=ModelPriceRead,
    dependencies=MANAGE,
    responses={**created(ModelPriceRead), **CREATE_ERRORS},
)
async def create_model_price(
    data: ModelPriceCreate,
    prices: ModelPriceServiceDep,
    request: Request,
    response: Response,
    once: OnceDep,
) -> ModelPriceRead:
    """Say what a model costs; steps that arrive from now on are priced with it."""
    price = await prices.create(data)
    response.headers["Location"] = f"{request.url.path}/{price.id}"
    response.headers["ETag"] = etag(price.row_version)
    return await once.keep(ModelPriceRead.model_validate(price), response, 201)


@router.post(
    # Of two parts, so that it is no /{price_id} for other methods.
    "/costs/recompute",
    status_code=202,
    response_model=JobRead,
    dependencies=MANAGE,
    responses={**accepted(JobRead), **CHANGE_ERRORS},
)
async def recompute_costs(
    data: RecomputeRequest,
    recomputing: RecomputingServiceDep,
    request: Request,
    response: Response,
    once: OnceDep,
) -> JobRead:
    """Compute costs anew in the background; reported ones stay. 409 while that is being done.

    Watch the job under `Location`; its result has the totals before and after.
    """
    job = await recomputing.start(data)
    prefix = request.app.state.settings.api_v1_prefix
    response.headers["Location"] = f"{prefix}/jobs/{job.id}"
    return await once.keep(JobRead.model_validate(job), response, 202)


@router.get("", response_model=Page[ModelPriceRead], dependencies=READ, responses=LIST_ERRORS)
async def list_model_prices(
    query: Annotated[ModelPriceQuery, Query()], prices: ModelPriceServiceDep
) -> Any:
    """Prices that were entered here. Sorts: model_pattern, created_at, updated_at; `-` descends."""
    return page_of(await prices.list_page(query), query)


@router.get(
    "/{price_id}",
    response_model=ModelPriceRead,
    dependencies=READ,
    responses={**READ_ERRORS, **UNCHANGED},
)
async def get_model_price(
    price_id: PriceId, prices: ModelPriceServiceDep, known: IfNoneMatchDep
) -> Any:
    """One price; the ETag is its row version."""
    price = await prices.get(price_id)
    return known.answer(price)


@router.patch(
    "/{price_id}", response_model=ModelPriceRead, dependencies=MANAGE, responses=CHANGE_ERRORS
)
async def update_model_price(
    price_id: PriceId,
    data: ModelPriceUpdate,
    prices: ModelPriceServiceDep,
    version: IfMatchDep,
    response: Response,
) -> ModelPrice:
    """Change what is sent. Costs that are computed already stay until they are computed anew."""
    price = await prices.update(price_id, data, version)
    response.headers["ETag"] = etag(price.row_version)
    return price


@router.delete("/{price_id}", status_code=204, dependencies=MANAGE, responses=CHANGE_ERRORS)
async def delete_model_price(
    price_id: PriceId, prices: ModelPriceServiceDep, version: IfMatchDep
) -> None:
    """Move to the trash: the price lists count again."""
    await prices.delete(price_id, version)


@router.post(
    "/{price_id}/restore",
    response_model=ModelPriceRead,
    dependencies=MANAGE,
    responses=CHANGE_ERRORS,
)
async def restore_model_price(price_id: PriceId, prices: ModelPriceServiceDep) -> ModelPrice:
    """Bring back from the trash."""
    return await prices.restore(price_id)
