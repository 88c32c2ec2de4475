"""Analyses of an agent on pages: ask for one, watch it, read its report."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from app.core.permissions import Permission
from app.core.texts import _, lazy
from app.core.wording import number
from app.exceptions import AppError
from app.models import Agent
from app.pages import forms
from app.pages.analysis_view import request_values, scope_words, view_of, writer_choices
from app.pages.deps import AnalysisServiceDep, requires
from app.pages.render import redirect, render, wants_fragment
from app.schemas.analyses import USUAL_RUNS, AnalysisRequest, Severity
from app.schemas.base import MAX_BIGINT
from app.services.agent_revisions import AgentRevisionService
from app.services.analyses import AnalysisService, report_in, request_of

router = APIRouter(prefix="/agents/{agent_id}/analyses")
AgentId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
JobId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
READ = [requires(Permission.JOBS_READ)]
WRITE = [requires(Permission.JOBS_WRITE)]
LIMITS = [(n, lazy("%(n)s runs", n=number(n))) for n in (100, 500, 1_000, 2_000, 5_000, 10_000)]
OFFERED_REVISIONS = 100
EMPTY = {
    "since": "",
    "until": "",
    "revision": "",
    "limit": str(USUAL_RUNS),
    "summary": "",
    "summary_model": "",
}


@router.get("", dependencies=READ)
async def list_analyses(
    request: Request, agent_id: AgentId, analyses: AnalysisServiceDep
) -> Response:
    agent = await analyses.agents.get(agent_id)
    return await list_page(request, analyses, agent, forms.Form(dict(EMPTY)))


async def list_page(
    request: Request,
    analyses: AnalysisService,
    agent: Agent,
    form: forms.Form,
    status: int = 200,
) -> Response:
    form.values = EMPTY | form.values
    earlier = await analyses.list_newest(agent)
    context = frame_of(analyses, agent) | {
        "form": form,
        "limits": LIMITS,
        "revisions": await revision_choices(analyses, agent),
        "writers": writer_choices(analyses.writers(agent)),
        "earlier": [(listed, scope_words(listed.request)) for listed in earlier],
        "is_moving": any(listed.job.is_open for listed in earlier),
        "severities": list(Severity),
    }
    name = "_rows.html" if wants_fragment(request) and status == 200 else "list.html"
    return render(request, f"pages/analyses/{name}", context, status)


def frame_of(analyses: AnalysisService, agent: Agent) -> dict[str, Any]:
    """What the head of the agent's pages shows, and who may do what."""
    may = analyses.actor.may
    return {
        "agent": agent,
        "tab": "analyses",
        "may_write": may(Permission.AGENTS_WRITE),
        "may_delete": may(Permission.AGENTS_DELETE),
        "may_analyze": may(Permission.JOBS_WRITE),
    }


async def revision_choices(analyses: AnalysisService, agent: Agent) -> list[tuple[str, str]]:
    revisions = AgentRevisionService(analyses.session, analyses.actor)
    newest = await revisions.list_newest(agent, OFFERED_REVISIONS)
    return [
        ("", _("All revisions")),
        *((str(r.number), _("Revision %(number)s", number=r.number)) for r in newest),
    ]


@router.post("", dependencies=WRITE)
async def start_analysis(
    request: Request, agent_id: AgentId, analyses: AnalysisServiceDep
) -> Response:
    agent = await analyses.agents.get(agent_id)
    values = forms.typed(await request.form())
    data, form = forms.parse(AnalysisRequest, request_values(values))
    form.values |= values
    if data is not None:
        try:
            async with analyses.session.begin_nested():
                job = await analyses.start(agent_id, data)
        except AppError as error:
            forms.refuse(form, error)
        else:
            return redirect(request, f"/agents/{agent_id}/analyses/{job.id}")
    return await list_page(request, analyses, agent, form, 422)


@router.get("/{job_id}", dependencies=READ)
async def show_analysis(
    request: Request, agent_id: AgentId, job_id: JobId, analyses: AnalysisServiceDep
) -> Response:
    """The report; while it is being made, how far it is."""
    agent, job = await analyses.get(agent_id, job_id)
    report = report_in(job)
    context = frame_of(analyses, agent) | {
        "job": job,
        "scope": scope_words(request_of(job.params)),
        "view": None if report is None else view_of(report),
        "report": report,
    }
    name = "_analysis.html" if wants_fragment(request) else "detail.html"
    return render(request, f"pages/analyses/{name}", context)
