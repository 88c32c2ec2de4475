"""Analyses of agents: asked for as jobs, read as reports."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy import cast, func, select
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from app.core.actor import Actor
from app.core.permissions import Permission
from app.core.providers import ModelProvider
from app.core.texts import lazy
from app.exceptions import Conflict, Invalid, NotFound
from app.models import Agent, AgentRevision, Job, JobKind
from app.models.base import JsonObject
from app.models.jobs import OPEN_JOBS
from app.schemas.analyses import (
    REPORT_VERSION,
    AnalysisReport,
    AnalysisRequest,
    Severity,
    SummaryModel,
)
from app.services.agents import AgentService
from app.services.analysis.reader import Asking
from app.services.jobs import JobService

MAX_LISTED = 30
SEVERITIES = cast("$.findings[*].severity", JSONPATH)
KIND = Job.kind == JobKind.ANALYZE_AGENT.value


@dataclass(frozen=True, slots=True)
class Listed:
    """An analysis, how many runs it was about, and how many findings of each severity it has."""

    job: Job
    request: AnalysisRequest
    runs: int | None
    findings: Counter[Severity]


class AnalysisService:
    """Reads follow the agent's visibility and the job's. Summaries need a provider."""

    def __init__(
        self, session: AsyncSession, actor: Actor, provider: ModelProvider | None = None
    ) -> None:
        self.session = session
        self.actor = actor
        self.provider = provider
        self.agents = AgentService(session, actor)
        self.jobs = JobService(session, actor)

    async def start(self, agent_id: int, request: AnalysisRequest) -> Job:
        """Ask for an analysis in this transaction.

        Raise ``Conflict`` while there is one of this agent, ``Invalid`` for an unknown revision
        and for a summary that no model is there to write.
        """
        self.actor.require(Permission.JOBS_WRITE)
        self.actor.require(Permission.EXECUTIONS_READ)
        agent = await self.agents.get(agent_id)
        revision_id = await self._revision_id(agent, request.revision)
        model = self._summary_model(agent, request)
        await self._refuse_another(agent)
        params = {
            "request": request.model_dump(mode="json"),
            "revision_id": revision_id,
            "summary_model": model,
        }
        return await self.jobs.enqueue(JobKind.ANALYZE_AGENT, params, agent_id=agent.id)

    def writers(self, agent: Agent) -> dict[SummaryModel, str]:
        """Which models can write a summary: none without a provider, or the right to ask models."""
        provider = self.provider
        if provider is None or not provider.is_configured:
            return {}
        if not self.actor.may(Permission.AGENTS_RUN):
            return {}
        usual = provider.default_model
        of_instance = {SummaryModel.INSTANCE: usual} if usual else {}
        return {SummaryModel.AGENT: agent.model_name} | of_instance

    def _summary_model(self, agent: Agent, request: AnalysisRequest) -> str | None:
        if not request.summary:
            return None
        self.actor.require(Permission.AGENTS_RUN)
        writers = self.writers(agent)
        if not writers:
            raise Invalid(
                lazy("No model provider is connected that could write a summary."), field="summary"
            )
        if request.summary_model not in writers:
            raise Invalid(
                lazy("The operator has set no PROVIDER_MODEL; choose the agent's own model."),
                field="summary_model",
            )
        return writers[request.summary_model]

    async def _revision_id(self, agent: Agent, number: int | None) -> int | None:
        if number is None:
            return None
        revision_id = await self.session.scalar(
            select(AgentRevision.id).where(
                AgentRevision.agent_id == agent.id, AgentRevision.number == number
            )
        )
        if revision_id is None:
            raise Invalid(
                lazy("%(agent)s has no revision %(number)s.", agent=agent.name, number=number),
                field="revision",
            )
        return revision_id

    async def _refuse_another(self, agent: Agent) -> None:
        is_open = Job.status.in_(OPEN_JOBS)
        statement = select(Job.id).where(KIND, Job.agent_id == agent.id, is_open).limit(1)
        job_id = await self.session.scalar(statement)
        if job_id is not None:
            raise Conflict(
                lazy(
                    "An analysis of %(agent)s is under way already (job "
                    "%(job_id)s). Wait for it, or cancel it.",
                    agent=agent.name,
                    job_id=job_id,
                )
            )

    async def list_newest(self, agent: Agent) -> list[Listed]:
        """The newest analyses of an agent the actor may see: one query, and no report is read."""
        severities = func.jsonb_path_query_array(Job.result, SEVERITIES, type_=JSONB)
        statement = (
            self.jobs.visible()
            .where(KIND, Job.agent_id == agent.id)
            .options(*self.jobs.loads(), defer(Job.result))
            .order_by(Job.created_at.desc(), Job.id.desc())
            .limit(MAX_LISTED)
            .add_columns(Job.result["scope"]["runs"], severities)
        )
        rows = (await self.session.execute(statement)).all()
        return [
            Listed(job, request_of(job.params), runs, Counter(map(Severity, found or ())))
            for job, runs, found in rows
        ]

    async def get(self, agent_id: int, job_id: int) -> tuple[Agent, Job]:
        """Raise ``NotFound`` where either is missing, or is not this actor's to see."""
        self.actor.require(Permission.EXECUTIONS_READ)
        agent = await self.agents.get(agent_id)
        statement = self.jobs.visible().where(KIND, Job.id == job_id, Job.agent_id == agent.id)
        job = await self.session.scalar(statement.options(*self.jobs.loads()))
        if job is None:
            raise NotFound(lazy("There is no such analysis of this agent."))
        return agent, job


def request_of(params: JsonObject) -> AnalysisRequest:
    """What a job was asked for; the usual where another version wrote it down otherwise."""
    asked = params.get("request")
    return AnalysisRequest.model_validate(asked) if isinstance(asked, dict) else AnalysisRequest()


def report_in(job: Job) -> AnalysisReport | None:
    """``None`` before there is one, and for one that another version wrote."""
    result: Any = job.result  # any JSON value
    if not isinstance(result, dict) or result.get("version") != REPORT_VERSION:
        return None
    # Those of before there were summaries have none.
    return AnalysisReport.model_validate({"summary": None} | result)


def asking_of(agent_id: int, params: JsonObject) -> Asking:
    """What a job's parameters ask for."""
    return Asking(agent_id, request_of(params), params.get("revision_id"))


def summary_model_of(params: JsonObject) -> str | None:
    """The model that a job is to ask for a summary, if it is to."""
    model = params.get("summary_model")
    return model if isinstance(model, str) else None
