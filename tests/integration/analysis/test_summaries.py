"""Reports that a model sums up: asked of a real server on loopback, whole whatever it answers."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from app.core.database import Database
from app.core.permissions import Permission
from app.core.providers import ModelProvider
from app.models import Job, JobStatus
from app.schemas.analyses import AnalysisSummary
from app.services import analysis_summaries
from app.services.analyses import AnalysisService, report_in
from app.services.analysis_summaries import summary_of
from app.services.pricing import PriceBook
from app.services.running.runner import Running
from tests.conftest import client_of, settings_for
from tests.factories.analyses import full_report, make_report
from tests.factories.clients import key_headers
from tests.factories.executions import make_execution
from tests.integration.analysis.working import ended, reached
from tests.provider import Answer, Provider, breaks_off, drips, refuses, says, sends, sleeps
from tests.stage import KEY, Stage

SAID = "Most runs end in an error of book [1]. Look at <b>fly</b> next [2, 3]."
Json = dict[str, Any]


@pytest.fixture
async def running(provider: Provider, database: Database) -> AsyncIterator[Running]:
    settings = settings_for(
        "", openai_base_url=provider.base_url, provider_name="openai", provider_timeout_s=0.5,
        provider_retries=0,
    )  # fmt: skip
    found = Running.over(database, settings, ModelProvider(settings))
    yield found
    await found.provider.aclose()


async def summed_up(running: Running, provider: Provider, answer: Answer) -> AnalysisSummary:
    provider.will(answer)
    return await summary_of(running, PriceBook(), "gpt-4o", full_report())


async def test_summary_comes_with_its_model_tokens_and_cost(
    running: Running, provider: Provider
) -> None:
    found = await summed_up(running, provider, says(SAID[:9], SAID[9:]))
    assert (found.model, found.text, found.reason) == ("gpt-4o", SAID, None)
    assert (found.input_tokens, found.output_tokens) == (100, 20)
    assert found.cost == Decimal("0.00045")
    [asked] = provider.requests
    assert asked["model"] == "gpt-4o"
    assert "tools" not in asked


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (refuses(401), "refused us (401)"),
        (refuses(404), "knows no model called gpt-4o"),
        (refuses(500, "Boom."), "answered 500: Boom."),
        (refuses(429, "Slow down."), "over its limit"),
        (breaks_off("Most runs [1]"), "broke off"),
        (sends("<html>"), "no chat completion"),
        (sleeps(2), "did not answer within 0.5 seconds"),
        (says("Nothing of note."), "cited none of the findings"),
        (drips("much more of it ", 0), "too long"),
    ],
    ids=["key", "model", "error", "limit", "broken", "no-json", "slow", "nonsense", "endless"],
)
async def test_report_says_why_there_is_no_summary(
    running: Running, provider: Provider, answer: Answer, why: str
) -> None:
    found = await summed_up(running, provider, answer)
    assert found.text is None
    assert why in (found.reason or "")
    assert KEY not in (found.reason or "")


async def test_answer_that_drips_for_ever_is_left(
    running: Running, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analysis_summaries, "WITHIN_S", 0.2)
    found = await summed_up(running, provider, drips())
    assert found.reason == "The model was not done within 0.2 seconds."


async def test_answer_of_no_use_is_paid_for_all_the_same(
    running: Running, provider: Provider
) -> None:
    found = await summed_up(running, provider, says("Nothing of note."))
    assert (found.text, found.input_tokens, found.cost) == (None, 100, Decimal("0.00045"))


async def test_nothing_is_asked_where_nothing_was_found(
    running: Running, provider: Provider
) -> None:
    provider.will()
    found = await summary_of(running, PriceBook(), "gpt-4o", make_report())
    assert (found.reason, provider.requests) == ("There are no findings to sum up.", [])


async def ask(stage: Stage, **request: Any) -> Json:
    async with stage.database.unit_of_work() as session:
        await make_execution(session, stage.actor, stage.agent)
    path = f"/api/v1/agents/{stage.agent.id}/analyze"
    response = await stage.api.post(path, json=request)
    assert response.status_code == 202, response.text
    job: Json = response.json()
    return job


async def test_summary_is_part_of_the_report_where_it_was_asked_for(
    stage: Stage, provider: Provider
) -> None:
    provider.will(says("It passed over an error [1]."), refuses(400, "No."))
    job = await ask(stage, summary=True)
    async with stage.working():
        await ended(stage.database, job["id"])
        path = f"/api/v1/agents/{stage.agent.id}/analyses/{job['id']}"
        read = (await stage.api.get(path)).json()
        whole = await ended(stage.database, (await ask(stage, summary=True))["id"])
        plain = await ended(stage.database, (await ask(stage))["id"])
    summary = read["report"]["summary"]
    assert summary["text"] == "It passed over an error [1]."
    assert (summary["model"], summary["cost"]) == (stage.agent.model_name, "0.000450000")
    refused = report_in(whole)
    assert refused is not None
    assert refused.summary is not None
    assert refused.summary.text is None
    assert [found.kind for found in refused.findings]
    of_plain = report_in(plain)
    assert of_plain is not None
    assert of_plain.summary is None
    assert len(provider.requests) == 2


async def test_cancelled_analysis_leaves_the_answer(stage: Stage, provider: Provider) -> None:
    provider.will(drips())
    job = await ask(stage, summary=True)
    async with stage.working():
        await reached(stage.database, job["id"], lambda _: provider.now > 0)
        assert (await stage.api.post(f"/api/v1/jobs/{job['id']}/cancel")).status_code == 200
        found: Job = await ended(stage.database, job["id"])
        assert (found.status, found.result) == (JobStatus.CANCELLED, None)
        for _ in range(400):
            if provider.cut_off:
                break
            await asyncio.sleep(0.02)
    assert provider.cut_off == 1


async def test_models_to_choose_are_the_agents_and_the_instances(stage: Stage) -> None:
    path = f"/api/v1/agents/{stage.agent.id}/analyze"
    asked = {"summary": True, "summary_model": "instance"}
    refused = await stage.api.post(path, json=asked)
    assert refused.status_code == 422
    assert "PROVIDER_MODEL" in refused.text
    settings = stage.settings.model_copy(update={"provider_model": "gpt-4o-mini"})
    async with stage.database.unit_of_work() as session:
        provider = ModelProvider(settings)
        made = AnalysisService(session, stage.actor, provider)
        assert list(made.writers(stage.agent).values()) == [stage.agent.model_name, "gpt-4o-mini"]


async def test_key_that_may_not_run_agents_has_no_model_asked(stage: Stage) -> None:
    async with stage.database.unit_of_work() as session:
        scopes = [Permission.AGENTS_READ, Permission.EXECUTIONS_READ, Permission.JOBS_WRITE]
        headers = await key_headers(session, stage.user, scopes=scopes)
    path = f"/api/v1/agents/{stage.agent.id}/analyze"
    async with client_of(stage.app, headers=headers) as client:
        assert (await client.post(path, json={"summary": True})).status_code == 403
        assert (await client.post(path, json={})).status_code == 202
