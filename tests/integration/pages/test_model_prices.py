"""Prices on pages, and how the cost of a step is explained."""

from typing import Any

import httpx2
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.services.model_prices import ModelPriceService
from tests.factories.agents import make_agent
from tests.factories.executions import MODEL_STEP, make_execution
from tests.factories.model_prices import make_model_price
from tests.jobs import work_off

STEP = f"?span={MODEL_STEP['span_id']}"
FORM = {
    "model_pattern": "qwen3:*",
    "provider_name": "ollama",
    "input_price": "0",
    "output_price": "0",
}
TIER = {"tier_above_input_tokens": ["1000", ""], "tier_input_price": ["6", ""]} | {
    f"tier_{name}": [value, ""]
    for name, value in {
        "output_price": "18",
        "cache_read_price": "",
        "cache_write_price": "",
    }.items()
}


async def page_of_step(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, **step: Any
) -> str:
    agent = await make_agent(session, actor)
    run = await make_execution(session, actor, agent, spans=[MODEL_STEP | step])
    return (await web.get(f"/executions/{run.id}{STEP}")).text


async def test_free_model_is_entered_once_it_is_confirmed(web: httpx2.AsyncClient) -> None:
    refused = await web.post("/model-prices/new", data=FORM)
    assert refused.status_code == 422
    assert "confirm that" in refused.text
    made = await web.post("/model-prices/new", data=FORM | {"is_free": "true"})
    assert made.status_code == 303
    page = (await web.get(made.headers["location"])).text
    assert "qwen3:*" in page
    assert "of ollama" in page
    assert "qwen3:*" in (await web.get("/model-prices?q=qwen3")).text


async def test_tiers_are_entered_as_rows_and_shown_back(web: httpx2.AsyncClient) -> None:
    prices = {"input_price": "3", "output_price": "9.5", "cache_read_price": "0.3"}
    made = await web.post("/model-prices/new", data=FORM | prices | TIER)
    assert made.status_code == 303
    path = made.headers["location"].partition("?")[0]
    page = (await web.get(path)).text
    assert "Above 1,000" in page
    assert "$9.5" in page
    form = (await web.get(f"{path}/edit")).text
    assert 'name="tier_input_price" value="6"' in form
    same = await web.post(f"{path}/edit", data=FORM | prices | TIER | {"row_version": "1"})
    assert "notice=unchanged" in same.headers["location"]


async def test_step_shows_how_its_cost_came_about(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    page = await page_of_step(web, session, actor, cached_tokens=40)
    for text in ("Read from a cache", "$2.5 / 1M", "$1.25 / 1M", "$0.0004", "gpt-4o of openai"):
        assert text in page
    assert "Prices have changed" not in page


async def test_step_says_that_prices_have_changed_since(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    run = await make_execution(session, actor, agent)
    entered = await make_model_price(session, actor, model="gpt-4o")
    page = (await web.get(f"/executions/{run.id}{STEP}")).text
    assert "Prices have changed since: this step was stored with $0.00045" in page
    assert f'href="/model-prices/{entered.id}"' in page
    await ModelPriceService(session, actor).delete(entered.id)
    assert "changed since" not in (await web.get(f"/executions/{run.id}{STEP}")).text


async def test_step_without_a_known_price_leads_to_entering_one(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    page = await page_of_step(web, session, actor, model="my model", provider="ollama")
    assert "Unpriced: no price is known for" in page
    link = "/model-prices/new?model=my+model&amp;provider=ollama"
    assert link in page
    form = (await web.get(link.replace("&amp;", "&"))).text
    assert 'value="my model"' in form
    silent = await page_of_step(web, session, actor, input_tokens=None, output_tokens=None)
    assert "did not say how many tokens" in silent
    assert "reported by the sender" in await page_of_step(web, session, actor, cost="0.1")


async def test_costs_are_computed_anew_from_a_day(web: httpx2.AsyncClient, app: FastAPI) -> None:
    bad = await web.post("/model-prices/recompute", data={"since": "soon"})
    assert bad.status_code == 422
    asked = await web.post("/model-prices/recompute", data={"since": "2026-11-01"})
    assert asked.status_code == 303
    again = await web.post("/model-prices/recompute", data={"since": "2026-11-01"})
    assert "being computed anew already" in again.text
    await work_off(app)
    assert "cost_after" in (await web.get(asked.headers["location"])).text
