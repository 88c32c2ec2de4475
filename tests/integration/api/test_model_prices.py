"""Prices that are entered, runs that are priced with them, and costs computed anew."""

from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.database import Database
from app.core.permissions import Role
from app.models import AuditEvent
from app.services.pricing import PriceBook, current_book
from tests.conftest import actor_for
from tests.factories.agents import make_agent
from tests.factories.executions import execution_data
from tests.factories.model_prices import PRICE, make_model_price
from tests.factories.users import make_user
from tests.integration.envelope import assert_envelope
from tests.jobs import work_off

PRICES, RUNS = "/api/v1/model-prices", "/api/v1/executions"
SINCE = {"since": "2026-10-01T00:00:00Z", "until": "2026-12-01T00:00:00Z"}
TIER = {"above_input_tokens": 1000, "input_price": "6", "output_price": "18"}


@pytest.fixture
async def data(session: AsyncSession, actor: Actor) -> dict[str, Any]:
    """A run with a step of 100 tokens in and 20 out by a model that no list knows."""
    data = execution_data(await make_agent(session, actor))
    return data | {"spans": [data["spans"][1] | {"model": "house-model"}]}


async def run_of(client: httpx2.AsyncClient, run_id: int) -> tuple[str | None, str]:
    run = (await client.get(f"{RUNS}/{run_id}")).json()
    return run["cost"] and run["cost"].rstrip("0"), run["cost_source"]


async def test_price_is_entered_changed_trashed_and_restored(web: httpx2.AsyncClient) -> None:
    sent = PRICE | {"provider": "Ollama", "tiers": [TIER], "valid_from": "2026-01-01"}
    made = await web.post(PRICES, json=sent)
    assert made.status_code == 201
    price, url = made.json(), made.headers["location"]
    assert (price["provider"], price["input_price"]) == ("ollama", "3")
    assert price["tiers"][0]["input_price"] == "6"
    assert (await web.get(url)).json() == price
    changed = await web.patch(url, json={"output_price": "8.5"}, headers={"If-Match": '"1"'})
    assert (changed.json()["output_price"], changed.json()["row_version"]) == ("8.5", 2)
    assert_envelope(await web.patch(url, json={}, headers={"If-Match": '"1"'}), 412)
    assert (await web.delete(url)).status_code == 204
    assert_envelope(await web.get(url), 404)
    assert (await web.post(f"{url}/restore")).json()["model"] == "house-model"
    listed = (await web.get(PRICES, params={"q": "house", "provider": "ollama"})).json()
    assert [row["id"] for row in listed["items"]] == [price["id"]]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"input_price": 0, "output_price": 0}, "is_free"),
        ({"is_free": True}, "is_free"),
        ({"valid_from": "2026-02-01", "valid_to": "2026-01-01"}, "valid_to"),
        ({"model": "*"}, "provider_name"),
        ({"model": "*a*b*c*d*e*"}, "model"),
        ({"input_price": -1}, "input_price"),
        ({"tiers": [TIER, TIER]}, "tiers"),
    ],
)
async def test_price_that_can_hardly_be_meant_is_refused(
    web: httpx2.AsyncClient, change: dict[str, Any], field: str
) -> None:
    refused = await web.post(PRICES, json=PRICE | change)
    assert refused.status_code == 422
    assert field in str(refused.json()["error"]["details"])


async def test_price_of_the_same_model_from_the_same_day_is_a_conflict(
    web: httpx2.AsyncClient,
) -> None:
    assert (await web.post(PRICES, json=PRICE)).status_code == 201
    assert_envelope(await web.post(PRICES, json=PRICE), 409)
    later = await web.post(PRICES, json=PRICE | {"valid_from": "2026-11-01"})
    assert later.status_code == 201


async def test_keys_read_prices_and_only_people_enter_them(api: httpx2.AsyncClient) -> None:
    assert (await api.get(PRICES)).status_code == 200
    assert_envelope(await api.post(PRICES, json=PRICE), 403, "FORBIDDEN")
    assert_envelope(await api.post(f"{PRICES}/costs/recompute", json=SINCE), 403, "FORBIDDEN")


async def test_steps_are_priced_when_they_arrive_and_reported_costs_stay(
    web: httpx2.AsyncClient, data: dict[str, Any]
) -> None:
    unknown = (await web.post(RUNS, json=data)).json()
    assert (unknown["cost"], unknown["cost_source"]) == (None, "unpriced")
    await web.post(PRICES, json=PRICE | {"model": "house-*"})
    priced = (await web.post(RUNS, json=data | {"external_id": "priced"})).json()
    assert (float(priced["cost"]), priced["cost_source"]) == (0.00048, "computed")
    said = data["spans"][0] | {"cost": "0.5"}
    reported = (await web.post(RUNS, json=data | {"external_id": "said", "spans": [said]})).json()
    assert (float(reported["cost"]), reported["cost_source"]) == (0.5, "reported")
    total = (await web.post(RUNS, json=data | {"external_id": "total", "cost": "0.7"})).json()
    assert (float(total["cost"]), total["cost_source"]) == (0.7, "reported")
    late = {"spans": [data["spans"][0] | {"span_id": "00000000000000d1"}]}
    patched = (await web.patch(f"{RUNS}/{priced['id']}", json=late)).json()
    assert (float(patched["cost"]), patched["cost_source"]) == (0.00096, "computed")
    known = data["spans"][0] | {"model": "alias", "attributes": {"gen_ai.response.model": "gpt-4o"}}
    listed = (await web.post(RUNS, json=data | {"external_id": "list", "spans": [known]})).json()
    assert (float(listed["cost"]), listed["cost_source"]) == (0.00045, "computed")


async def test_costs_are_computed_anew_and_totals_repaired(
    web: httpx2.AsyncClient, app: FastAPI, session: AsyncSession, data: dict[str, Any]
) -> None:
    unpriced = (await web.post(RUNS, json=data)).json()["id"]
    said = data["spans"][0] | {"cost": "0.5"}
    mixed = data | {"external_id": "mixed", "spans": [said, said | {"span_id": "0" * 15 + "1"}]}
    mixed["spans"][1].pop("cost")
    both = (await web.post(RUNS, json=mixed)).json()["id"]
    reported = (await web.post(RUNS, json=data | {"external_id": "t", "cost": "0.7"})).json()["id"]
    price = (await web.post(PRICES, json=PRICE)).json()
    asked = await web.post(f"{PRICES}/costs/recompute", json=SINCE)
    assert asked.status_code == 202
    assert_envelope(await web.post(f"{PRICES}/costs/recompute", json=SINCE), 409)
    await work_off(app)
    assert await run_of(web, unpriced) == ("0.00048", "computed")
    assert await run_of(web, both) == ("0.50048", "computed")
    assert await run_of(web, reported) == ("0.7", "reported")
    job = (await web.get(asked.headers["location"])).json()
    assert job["status"] == "succeeded"
    result = job["result"]
    assert (result["runs"], result["runs_changed"]) == (3, 2)
    assert (result["steps"], result["steps_changed"], result["steps_unpriced"]) == (3, 3, 0)
    assert (float(result["cost_before"]), float(result["cost_after"])) == (1.2, 1.20096)
    event = await session.scalar(
        select(AuditEvent).where(
            AuditEvent.action == "recompute_costs", AuditEvent.resource == "executions"
        )
    )
    assert event is not None
    assert event.changes["runs"] == [None, 2]
    await web.delete(f"{PRICES}/{price['id']}")
    again = await web.post(f"{PRICES}/costs/recompute", json=SINCE)
    await work_off(app)
    assert await run_of(web, unpriced) == (None, "unpriced")
    assert await run_of(web, both) == ("0.5", "reported")
    outcome = (await web.get(again.headers["location"])).json()["result"]
    assert outcome["unpriced_models"] == {"house-model": 3}


async def test_cost_of_a_run_is_from_those_steps_alone_that_it_sums(
    web: httpx2.AsyncClient, app: FastAPI, data: dict[str, Any]
) -> None:
    outer, inner = ({"span_id": f"{number:016x}"} for number in (1, 2))
    inner |= {"parent_span_id": outer["span_id"], "cost": "0.5"}
    await web.post(PRICES, json=PRICE)
    nested = {"spans": [data["spans"][0] | outer, data["spans"][0] | inner]}
    run_id = (await web.post(RUNS, json=data | nested)).json()["id"]
    assert await run_of(web, run_id) == ("0.5", "reported")
    asked = await web.post(f"{PRICES}/costs/recompute", json=SINCE)
    await work_off(app)
    assert await run_of(web, run_id) == ("0.5", "reported")
    assert (await web.get(asked.headers["location"])).json()["result"]["runs_changed"] == 0


async def test_recomputing_goes_on_in_pieces(
    web: httpx2.AsyncClient, app: FastAPI, data: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.recomputing.RUNS_AT_ONCE", 2)
    ids = [
        (await web.post(RUNS, json=data | {"external_id": f"run-{n}"})).json()["id"]
        for n in range(5)
    ]
    await web.post(PRICES, json=PRICE)
    asked = await web.post(f"{PRICES}/costs/recompute", json=SINCE)
    await work_off(app)
    assert {await run_of(web, run_id) for run_id in ids} == {("0.00048", "computed")}
    result = (await web.get(asked.headers["location"])).json()["result"]
    assert (result["runs"], result["runs_changed"]) == (5, 5)


async def test_every_process_hears_that_a_price_has_changed(own_database: Database) -> None:
    """Remembered while changes are heard of, and read anew after one."""
    own_database.memories.heard(is_heard=True)

    async def book() -> PriceBook:
        async with own_database.unit_of_work() as session:
            return await current_book(session)

    first = await book()
    assert await book() is first
    async with own_database.unit_of_work() as session:
        staff = await make_user(session, Role.STAFF)
        await make_model_price(session, actor_for(staff))
    second = await book()
    assert second is not first
    assert len(second.rules("house-model", None)) == 1
