"""Prices that were entered here."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import ModelPrice
from app.schemas.model_prices import ModelPriceCreate
from app.services.model_prices import ModelPriceService

PRICE = {"model": "house-model", "input_price": "3", "output_price": "9"}


async def make_model_price(session: AsyncSession, actor: Actor, **values: Any) -> ModelPrice:
    data = ModelPriceCreate.model_validate(PRICE | values)
    return await ModelPriceService(session, actor).create(data)
