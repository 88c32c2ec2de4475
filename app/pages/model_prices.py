"""Prices of models on pages: what was entered here, and costs computed anew with it."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from app.core.permissions import Permission
from app.exceptions import AppError
from app.models import ListName, ModelPrice
from app.pages import forms
from app.pages.deps import ModelPriceServiceDep, RecomputingServiceDep, requires
from app.pages.list_views import Offered, framed, opened
from app.pages.price_list import COLUMNS, FILTERS
from app.pages.render import redirect, render, wants_fragment
from app.schemas.base import MAX_BIGINT
from app.schemas.days import start_of_day
from app.schemas.model_prices import (
    MAX_TIERS,
    ModelPriceCreate,
    ModelPriceQuery,
    ModelPriceUpdate,
    RecomputeRequest,
    plain,
)
from app.services.model_prices import PRICES, ModelPriceService
from app.services.pricing.lists import SOURCE, listed_rules
from app.services.recomputing import RecomputingService

router = APIRouter(prefix="/model-prices")
PriceId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
READ = [requires(Permission.PRICES_READ)]
MANAGE = [requires(Permission.PRICES_MANAGE)]
PAGE_SIZE = 50
TIER_FIELDS = ("above_input_tokens", *PRICES)
FIELDS = ("model_pattern", "provider_name", "description", "valid_from", "valid_to", *PRICES)


@router.get("", dependencies=READ)
async def list_model_prices(
    request: Request,
    prices: ModelPriceServiceDep,
    recomputing: RecomputingServiceDep,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    return await list_page(request, prices, recomputing, forms.Form({"since": ""}), cursor)


async def list_page(
    request: Request,
    prices: ModelPriceService,
    recomputing: RecomputingService,
    form: forms.Form,
    cursor: str | None = None,
) -> Response:
    state, views = await opened(request, prices, ListName.MODEL_PRICES)
    if views.goes_to and not form.errors:
        return redirect(request, views.goes_to)
    query = state.query(ModelPriceQuery, sort=state.sort or None)
    rows = await prices.list_slice(query, cursor, PAGE_SIZE)
    context = {
        "prices": rows.items,
        **framed(request, (state, views), rows, query, Offered(COLUMNS, FILTERS)),
        "may_manage": prices.actor.may(Permission.PRICES_MANAGE),
        "source": SOURCE,
        "form": form,
        "job": await recomputing.newest() if prices.actor.may(Permission.JOBS_READ) else None,
    }
    name = "_rows.html" if wants_fragment(request) else "list.html"
    return render(request, f"pages/model_prices/{name}", context, 422 if form.errors else 200)


@router.post("/recompute", dependencies=MANAGE)
async def recompute_costs(
    request: Request, prices: ModelPriceServiceDep, recomputing: RecomputingServiceDep
) -> Response:
    typed = forms.typed(await request.form())
    data, form = forms.parse(RecomputeRequest, {"since": start_of_day(typed.get("since", ""))})
    form.values = forms.Typed(typed)
    if data is not None:
        try:
            async with prices.session.begin_nested():
                job = await recomputing.start(data)
        except AppError as error:
            forms.refuse(form, error)
        else:
            return redirect(request, f"/jobs/{job.id}")
    return await list_page(request, prices, recomputing, form)


def tiers_in(data: FormData) -> list[dict[str, str | None]]:
    """The rows of tiers that say anything."""
    columns = [[str(v) for v in data.getlist(f"tier_{name}")][:MAX_TIERS] for name in TIER_FIELDS]
    rows = [dict(zip(TIER_FIELDS, row, strict=True)) for row in zip(*columns, strict=False)]
    return [row for row in rows if any(value.strip() for value in row.values())]


async def posted(request: Request) -> dict[str, Any]:
    data = await request.form()
    values = {k: v for k, v in forms.typed(data).items() if not k.startswith("tier_")}
    values["is_free"] = values.get("is_free", "false")
    return values | {"tiers": tiers_in(data)}


def form_page(
    request: Request, form: forms.Form, price: ModelPrice | None, status: int = 200
) -> Response:
    # A post that left fields out shows them empty; one row of tiers is always left to fill.
    tiers = list(form.values["tiers"] or [])[:MAX_TIERS]
    blank: list[dict[str, str]] = [dict.fromkeys(TIER_FIELDS, "")] if len(tiers) < MAX_TIERS else []
    context = {"form": form, "price": price, "tiers": [*tiers, *blank], "has_tiers": bool(tiers)}
    return render(request, "pages/model_prices/form.html", context, status)


@router.get("/new", dependencies=MANAGE)
async def new_model_price(
    request: Request,
    model: Annotated[str, Query(max_length=200)] = "",
    provider: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    values = dict.fromkeys(FIELDS, "") | {"model_pattern": model, "provider_name": provider}
    return form_page(request, forms.Form(values | {"is_free": "false"}), None)


@router.post("/new", dependencies=MANAGE)
async def create_model_price(request: Request, prices: ModelPriceServiceDep) -> Response:
    data, form = forms.parse(ModelPriceCreate, await posted(request))
    if data is not None:
        try:
            async with prices.session.begin_nested():
                price = await prices.create(data)
        except AppError as error:
            forms.refuse(form, error)
        else:
            return redirect(request, f"/model-prices/{price.id}", "created")
    return form_page(request, form, None, 422)


@router.get("/{price_id}", dependencies=READ)
async def show_model_price(
    request: Request, price_id: PriceId, prices: ModelPriceServiceDep
) -> Response:
    price = await prices.get(price_id)
    listed = listed_rules(price.model_pattern, price.provider_name)
    today = [rule for rule in listed if rule.holds(datetime.now(UTC))]
    context = {
        "price": price,
        "listed": today[0] if today else None,
        "source": SOURCE,
        "may_manage": prices.actor.may(Permission.PRICES_MANAGE),
    }
    return render(request, "pages/model_prices/detail.html", context)


def values_of(price: ModelPrice) -> dict[str, Any]:
    """A price as the form shows it."""
    amounts = {name: getattr(price, name) for name in PRICES}
    shown = {name: "" if value is None else plain(value) for name, value in amounts.items()}
    stored = forms.shown(price, ModelPriceUpdate) | shown
    return stored | {"tiers": price.tiers, "row_version": price.row_version}


@router.get("/{price_id}/edit", dependencies=MANAGE)
async def edit_model_price(
    request: Request, price_id: PriceId, prices: ModelPriceServiceDep
) -> Response:
    price = await prices.get(price_id)
    return form_page(request, forms.Form(values_of(price)), price)


@router.post("/{price_id}/edit", dependencies=MANAGE)
async def update_model_price(
    request: Request, price_id: PriceId, prices: ModelPriceServiceDep
) -> Response:
    values = await posted(request)
    version = forms.version_in(values)
    data, form = forms.parse(ModelPriceUpdate, values)
    form.values["row_version"] = version
    if data is not None:
        try:
            async with prices.session.begin_nested():
                saved = await prices.update(price_id, data, version)
        except AppError as error:
            forms.refuse(form, error)
        else:
            notice = "unchanged" if saved.row_version == version else "saved"
            return redirect(request, f"/model-prices/{price_id}", notice)
    return form_page(request, form, await prices.get(price_id), 422)


@router.post("/{price_id}/delete", dependencies=MANAGE)
async def delete_model_price(
    request: Request, price_id: PriceId, prices: ModelPriceServiceDep
) -> Response:
    await prices.delete(price_id)
    return redirect(request, "/model-prices", "trashed", f"model_prices:{price_id}")


@router.post("/{price_id}/restore", dependencies=MANAGE)
async def restore_model_price(
    request: Request, price_id: PriceId, prices: ModelPriceServiceDep
) -> Response:
    await prices.restore(price_id)
    return redirect(request, f"/model-prices/{price_id}", "restored")
