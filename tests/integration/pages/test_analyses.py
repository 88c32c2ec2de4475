"""Analyses on pages: asked for in a form, watched, read with their evidence."""

import httpx2
import pytest
from fastapi import FastAPI
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.config import Settings
from app.models import Agent, JobStatus, User
from app.schemas.analyses import AnalysisRequest
from app.services.analyses import AnalysisService, request_of, summary_model_of
from tests.conftest import QueryCounter, client_of
from tests.factories.agents import make_agent
from tests.factories.analyses import full_report, make_analysis, make_report, with_summary
from tests.factories.clients import log_in
from tests.factories.jobs import make_job

PART = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture
async def agent(session: AsyncSession, actor: Actor) -> Agent:
    return await make_agent(session, actor, name="shop-support")


def text_of(page: httpx2.Response) -> str:
    body = LexborHTMLParser(page.text).body
    assert body is not None
    return " ".join(body.text(separator=" ").split())


async def test_form_asks_for_an_analysis_of_whole_days(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent
) -> None:
    form = {"since": "2026-11-01", "until": "2026-11-03", "revision": "1", "limit": "500"}
    response = await web.post(f"/agents/{agent.id}/analyses", data=form)
    assert response.status_code == 303
    page = await web.get(response.headers["Location"])
    assert "Newest 500 runs of revision 1, from 2026-11-01, to 2026-11-03" in text_of(page)
    [listed] = await AnalysisService(session, actor).list_newest(agent)
    assert request_of(listed.job.params) == AnalysisRequest.model_validate(
        {
            "since": "2026-11-01T00:00:00Z",
            "until": "2026-11-04T00:00:00Z",
            "revision": 1,
            "limit": 500,
        }
    )


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"limit": "0"}, "must be at least 1"),
        ({"since": "tomorrow"}, "must be a date and time"),
        ({"since": "9999-12-31", "until": "9999-12-31"}, "must be"),
        ({"since": "2026-11-05", "until": "2026-11-03"}, "since must be before until"),
        ({"revision": "9"}, "has no revision 9"),
    ],
)
async def test_form_that_is_refused_keeps_what_was_typed(
    typed: dict[str, str], said: str, web: httpx2.AsyncClient, agent: Agent
) -> None:
    response = await web.post(f"/agents/{agent.id}/analyses", data={"limit": "100"} | typed)
    assert response.status_code == 422
    assert said in text_of(response)
    for name, value in typed.items():
        field = LexborHTMLParser(response.text).css_first(f"#f-{name}")
        assert field is not None
        if field.tag == "input":
            assert field.attributes["value"] == value


async def test_second_one_is_refused_with_the_way_to_the_first(
    web: httpx2.AsyncClient, agent: Agent
) -> None:
    await web.post(f"/agents/{agent.id}/analyses", data={"limit": "100"})
    response = await web.post(f"/agents/{agent.id}/analyses", data={"limit": "100"})
    assert response.status_code == 422
    assert "is under way already" in text_of(response)


async def test_report_shows_findings_with_links_to_their_steps(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent
) -> None:
    job = await make_analysis(session, actor, agent)
    page = await web.get(f"/agents/{agent.id}/analyses/{job.id}")
    shown, links = text_of(page), [a.attributes.get("href") for a in tree(page).css("a")]
    for finding in full_report().findings:
        assert finding.title in shown
        for place in finding.evidence:
            span = f"?span={place.span_id}#span" if place.span_id else ""
            assert f"/executions/{place.execution_id}{span}" in links
    assert f"/api/v1/agents/{agent.id}/analyses/{job.id}" in links
    assert "Numbers as a table" in shown


async def test_summary_says_who_wrote_it_and_leads_to_its_findings(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent
) -> None:
    said = "Look at <b>book</b> first [1].\n\nThen at the rest [2, 3]."
    job = await make_analysis(session, actor, agent, with_summary(text=said))
    page = await web.get(f"/agents/{agent.id}/analyses/{job.id}")
    shown = text_of(page)
    assert "written by gpt-4o" in shown
    assert "1,200 / 80 tokens in / out · $0.0125" in shown
    assert "of the first 3 findings" in shown
    assert "Look at <b>book</b> first" in shown
    assert tree(page).css_first(".summary b") is None
    links = [a.attributes["href"] for a in tree(page).css(".summary a")]
    assert links == ["#finding-1", "#finding-2", "#finding-3"]
    for link in links:
        assert tree(page).css_first(str(link)) is not None


async def test_report_without_its_summary_is_whole_and_says_why(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent
) -> None:
    report = with_summary(reason="The model refused <i>us</i>.")
    job = await make_analysis(session, actor, agent, report)
    shown = text_of(await web.get(f"/agents/{agent.id}/analyses/{job.id}"))
    assert "There is no summary. The model refused <i>us</i>." in shown
    assert "written by" not in shown
    assert report.findings[0].title in shown


async def test_report_of_before_there_were_summaries_is_shown(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent
) -> None:
    job = await make_analysis(session, actor, agent)
    found = dict(job.result or {})
    del found["summary"]
    job.result = found
    await session.flush()
    shown = text_of(await web.get(f"/agents/{agent.id}/analyses/{job.id}"))
    assert full_report().findings[0].title in shown


async def test_summary_is_offered_only_where_a_provider_is_connected(
    web: httpx2.AsyncClient,
    session: AsyncSession,
    settings: Settings,
    actor: Actor,
    agent: Agent,
) -> None:
    path, form = f"/agents/{agent.id}/analyses", {"limit": "100", "summary": "true"}
    assert tree(await web.get(path)).css_first("#f-summary") is None
    refused = await web.post(path, data=form)
    assert refused.status_code == 422
    assert "No model provider is connected" in text_of(refused)
    settings.openai_base_url = "http://127.0.0.1:1/v1"
    box = tree(await web.get(path)).css_first("#f-summary")
    assert box is not None
    assert "checked" not in box.attributes
    settings.provider_model = "gpt-4o-mini"
    choices = tree(await web.get(path)).css("#f-summary_model option")
    assert [choice.attributes["value"] for choice in choices] == ["agent", "instance"]
    asked = await web.post(path, data=form | {"summary_model": "instance"})
    assert asked.status_code == 303
    [listed] = await AnalysisService(session, actor).list_newest(agent)
    assert summary_model_of(listed.job.params) == "gpt-4o-mini"


def tree(page: httpx2.Response) -> LexborHTMLParser:
    return LexborHTMLParser(page.text)


async def test_every_chart_has_its_numbers_in_a_table(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent
) -> None:
    job = await make_analysis(session, actor, agent)
    found = tree(await web.get(f"/agents/{agent.id}/analyses/{job.id}"))
    assert len(found.css("figure.chart")) == len(found.css("details.numbers")) == 3


async def test_page_of_a_running_analysis_hears_of_its_job_until_there_is_a_report(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent
) -> None:
    job = await make_job(
        session, actor, agent_id=agent.id, status=JobStatus.RUNNING, progress=40, message="Reading"
    )
    path = f"/agents/{agent.id}/analyses/{job.id}"
    page = await web.get(path)
    assert "40 %: Reading" in text_of(page)
    assert tree(page).css_first(f'noscript a[href="{path}"]') is not None
    shown = tree(page).css_first("#analysis")
    assert shown is not None
    heard, fetched = shown.attributes["data-live-room"], shown.attributes["hx-get"]
    assert (heard, fetched, shown.attributes["hx-trigger"]) == (f"job:{job.id}", path, "live")
    job.status, job.result = JobStatus.SUCCEEDED, full_report().model_dump(mode="json")
    await session.flush()
    part = await web.get(path, headers=PART)
    assert full_report().findings[0].title in text_of(part)
    assert "data-live-room" not in part.text
    assert "<html" not in part.text


async def test_list_hears_of_the_agents_jobs_and_has_a_link_to_look_again(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent
) -> None:
    path = f"/agents/{agent.id}/analyses"
    assert tree(await web.get(path)).css_first("#results noscript") is None
    await make_job(session, actor, agent_id=agent.id, status=JobStatus.RUNNING)
    page = tree(await web.get(path))
    assert page.css_first(f'#results noscript a[href="{path}"]') is not None
    results = page.css_first("#results")
    assert results is not None
    assert results.attributes["data-live-room"] == f"agent:{agent.id}/2"
    assert results.attributes["data-live-on"] == "job"


async def test_analysis_that_failed_says_why_and_can_be_tried_again(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent
) -> None:
    job = await make_job(
        session, actor, agent_id=agent.id, status=JobStatus.FAILED, error="It took too long."
    )
    page = await web.get(f"/agents/{agent.id}/analyses/{job.id}")
    assert "It took too long." in text_of(page)
    assert tree(page).css_first(f'form[action="/jobs/{job.id}/retry"]') is not None


async def test_report_about_nothing_says_so(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent
) -> None:
    job = await make_analysis(session, actor, agent, make_report())
    assert "No runs to look at" in text_of(await web.get(f"/agents/{agent.id}/analyses/{job.id}"))


async def test_viewer_reads_reports_and_can_ask_for_none(
    app: FastAPI,
    session: AsyncSession,
    settings: Settings,
    viewer: User,
    agent: Agent,
    actor: Actor,
) -> None:
    job = await make_analysis(session, actor, agent)
    async with client_of(app) as client:
        await log_in(client, session, settings, viewer)
        page = await client.get(f"/agents/{agent.id}/analyses")
        assert "New analysis" not in page.text
        assert (await client.get(f"/agents/{agent.id}/analyses/{job.id}")).status_code == 200
        refused = await client.post(f"/agents/{agent.id}/analyses", data={"limit": "100"})
        assert refused.status_code == 403


async def test_list_needs_the_same_queries_for_one_report_and_for_many(
    web: httpx2.AsyncClient,
    session: AsyncSession,
    actor: Actor,
    agent: Agent,
    counted: QueryCounter,
) -> None:
    path, counts = f"/agents/{agent.id}/analyses", []
    for reports in (1, 8):
        for _ in range(reports):
            await make_analysis(session, actor, agent)
        await web.get(path)
        counted.statements.clear()
        with counted:
            page = await web.get(path)
        counts.append(counted.count)
    assert counts[0] == counts[1]
    assert len(tree(page).css("#results tbody tr")) == 9
