"""The playground: an agent tried out, one way or two beside each other, and runs stopped."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.responses import Response

from app.api.deps import SessionDep
from app.api.streams import (
    WaitingResponse,
    live_runs_of,
    run_stream,
    run_to_end,
    wants_stream,
)
from app.core.permissions import Permission
from app.core.texts import _, lazy
from app.exceptions import AppError, Invalid
from app.models import Agent, Execution
from app.pages.deps import StaffDep, requires
from app.pages.playground_drafts import (
    SIDES,
    Draft,
    Message,
    asked_of,
    draft_of,
    draft_of_run,
    results_of,
    side_of,
    with_overrides,
)
from app.pages.playground_view import outcome_of, waiting_calls
from app.pages.render import redirect, render
from app.schemas.base import MAX_BIGINT
from app.schemas.runs import ToolResults
from app.services.agent_revisions import AgentRevisionService
from app.services.agents import AgentService
from app.services.executions import ExecutionService
from app.services.running.asking import Asked, RunService

router = APIRouter()
RowId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
RUN = [requires(Permission.AGENTS_RUN)]
MAX_REVISIONS = 50
LABELS = {"left": "A", "right": "B"}


def number_in(text: str) -> int:
    """0 for what is no number of a row."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else 0


def live_number(agent: Agent) -> int:
    return agent.live_revision.number if agent.live_revision else 0


@dataclass(frozen=True, slots=True)
class Playground:
    """One agent and the services to try it out with."""

    agents: AgentService
    revisions: AgentRevisionService
    executions: ExecutionService
    runs: RunService

    async def base_of(self, agent: Agent, side: dict[str, str]) -> dict[str, Any]:
        """The snapshot that a side was filled from, by default the live one. Raise ``NotFound``."""
        number = number_in(side["base"]) or live_number(agent)
        return (await self.revisions.get(agent, number)).snapshot

    async def fresh(self, agent: Agent) -> Draft:
        return Draft([Message("user", "")], {}, {"left": await self.live(agent)})

    async def live(self, agent: Agent) -> dict[str, str]:
        return await self._at(agent, live_number(agent))

    async def again(self, agent: Agent, shown: Sequence[Execution]) -> Draft:
        """The form that these runs came from."""
        draft = await self.fresh(agent)
        for key, execution in zip(SIDES, shown, strict=False):
            body = await self.executions.find_body(execution)
            made, tried = draft_of_run(body)
            if key == "left":
                draft.messages, draft.variables = made.messages, made.variables
            ran = execution.agent_revision
            number = tried.revision or (ran.number if ran else None)
            side = await (self._at(agent, number) if number else self.live(agent))
            draft.sides[key] = with_overrides(side, tried.overrides)
        return draft

    async def _at(self, agent: Agent, number: int) -> dict[str, str]:
        snapshot = (await self.revisions.get(agent, number)).snapshot
        return side_of(snapshot, number, is_live=number == live_number(agent))

    async def redrawn(self, agent: Agent, draft: Draft, change: str) -> None:
        """Apply what a button of the form asks for: another message, another side, a revision."""
        if change == "message":
            last = draft.messages[-1].role
            draft.messages.append(Message("user" if last == "assistant" else "assistant", ""))
        elif change == "compare":
            draft.sides.setdefault("right", dict(draft.sides["left"]))
        elif change == "single":
            draft.sides.pop("right", None)
        for key, side in draft.sides.items():
            if change == f"{key}.revision":
                chosen = number_in(side["revision"]) or live_number(agent)
                draft.sides[key] = await self._at(agent, chosen)


async def get_playground(request: Request, session: SessionDep, staff: StaffDep) -> Playground:
    actor, provider = staff.actor, live_runs_of(request).running.provider
    return Playground(
        AgentService(session, actor),
        AgentRevisionService(session, actor),
        ExecutionService(session, actor),
        RunService(session, actor, provider),
    )


PlaygroundDep = Annotated[Playground, Depends(get_playground)]


async def page(
    request: Request, place: Playground, agent: Agent, draft: Draft, status: int = 200
) -> Response:
    """The form, and beside each side what came of the runs named in the address."""
    shown = await shown_runs(request, place, agent)
    outcomes = [await outcome_of(place.executions, execution) for execution in shown]
    newest = await place.revisions.list_newest(agent, MAX_REVISIONS)
    options = [("", _("Live (r%(live_number)s)", live_number=live_number(agent)))] + [
        (str(r.number), f"r{r.number}{f': {r.note[:40]}' if r.note else ''}") for r in newest
    ]
    context = {
        "agent": agent,
        "tab": "playground",
        "draft": draft,
        "sides": [(key, LABELS[key], draft.sides[key]) for key in SIDES if key in draft.sides],
        "outcomes": dict(zip(SIDES, outcomes, strict=False)),
        "revisions": options,
        "is_connected": place.runs.provider.is_configured,
        "may_write": place.agents.actor.may(Permission.AGENTS_WRITE),
        "may_delete": place.agents.actor.may(Permission.AGENTS_DELETE),
    }
    return render(request, "pages/playground/detail.html", context, status)


async def shown_runs(request: Request, place: Playground, agent: Agent) -> list[Execution]:
    ids = [number_in(text) for text in request.query_params.getlist("run")[:2]]
    found = [await place.executions.find(execution_id) for execution_id in ids]
    return [run for run in found if run is not None and run.agent_id == agent.id]


@router.get("/agents/{agent_id}/playground", dependencies=RUN)
async def show_playground(request: Request, agent_id: RowId, place: PlaygroundDep) -> Response:
    agent = await place.agents.get(agent_id)
    shown = await shown_runs(request, place, agent)
    draft = await place.again(agent, shown) if shown else await place.fresh(agent)
    if shown and "continue" in request.query_params:
        await go_on(place, draft, shown)
    return await page(request, place, agent, draft)


async def go_on(place: Playground, draft: Draft, shown: Sequence[Execution]) -> None:
    """Put the answer into the conversation, for the user to say the next thing."""
    body = await place.executions.find_body(shown[0])
    if body and isinstance(body.output, str):
        draft.messages += [Message("assistant", body.output), Message("user", "")]


@router.post("/agents/{agent_id}/playground", dependencies=RUN)
async def run_playground(request: Request, agent_id: RowId, place: PlaygroundDep) -> Response:
    """Run each side, or the one named by ``side`` as an event stream; or redraw the form."""
    agent = await place.agents.get(agent_id)
    data = await request.form()
    draft = draft_of(data)
    if change := str(data.get("redraw", "")):
        await place.redrawn(agent, draft, change)
        return await page(request, place, agent, draft)
    asked = await asked_by(place, agent, draft, data)
    executions = await begun(place, draft, asked)
    if executions is None:
        return await page(request, place, agent, draft, 422)
    return answer(request, agent_id, executions)


async def asked_by(
    place: Playground, agent: Agent, draft: Draft, data: FormData
) -> list[Asked | None]:
    named = str(data.get("side", ""))
    keys = [named] if named in draft.sides else list(draft.sides)
    bases = {key: await place.base_of(agent, draft.sides[key]) for key in keys}
    return [asked_of(draft, key, agent.id, bases[key]) for key in keys]


async def begun(
    place: Playground, draft: Draft, asked: Sequence[Asked | None]
) -> list[Execution] | None:
    """The runs, or ``None`` with what is wrong in the draft: then there is none of them."""
    if any(one is None for one in asked):
        return None
    try:
        async with place.runs.session.begin_nested():
            return [await place.runs.begin(one) for one in asked if one is not None]
    except AppError as error:
        draft.errors[error.field or ""] = error.message
        return None


def answer(request: Request, agent_id: int, executions: Sequence[Execution]) -> Response:
    """The events of the one run, or the page again once all have ended."""
    if wants_stream(request):
        return run_stream(request, executions[0], f"/executions/{executions[0].id}")
    query = "&".join(f"run={execution.id}" for execution in executions)
    return waiting(request, executions, f"/agents/{agent_id}/playground?{query}")


def waiting(request: Request, executions: Sequence[Execution], url: str) -> Response:
    runs, actor = live_runs_of(request), request.state.actor

    async def work() -> Response:
        await asyncio.gather(*(run_to_end(runs, actor, run.id) for run in executions))
        return redirect(request, url)

    return WaitingResponse(work)


@router.get("/agents/{agent_id}/playground/runs/{execution_id}", dependencies=RUN)
async def show_outcome(
    request: Request, agent_id: RowId, execution_id: RowId, place: PlaygroundDep
) -> Response:
    """What came of a run, to be put beside the side that it belongs to."""
    execution = await place.executions.get(execution_id)
    context = {
        "agent": await place.agents.get(agent_id),
        "outcome": await outcome_of(place.executions, execution),
    }
    return render(request, "pages/playground/_outcome.html", context)


@router.post("/agents/{agent_id}/playground/runs/{execution_id}", dependencies=RUN)
async def answer_calls(
    request: Request, agent_id: RowId, execution_id: RowId, place: PlaygroundDep
) -> Response:
    """Hand in what was typed as the results of the run's tool calls."""
    execution = await place.executions.get(execution_id)
    data = await request.form()
    calls = waiting_calls(await place.executions.find_body(execution))
    try:
        results = ToolResults.model_validate(results_of(data, calls))
    except ValidationError as error:
        raise Invalid(lazy("This run does not wait for results, or they are too large.")) from error
    execution = await place.runs.submit(execution_id, results)
    if wants_stream(request):
        return run_stream(request, execution, f"/executions/{execution_id}")
    return waiting(request, [execution], f"/agents/{agent_id}/playground?run={execution_id}")


@router.post("/executions/{execution_id}/cancel", dependencies=RUN)
async def cancel_execution(request: Request, execution_id: RowId, place: PlaygroundDep) -> Response:
    await place.runs.recorder.cancel(execution_id)
    return redirect(request, f"/executions/{execution_id}", "cancelled")
