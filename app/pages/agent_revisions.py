"""Revisions of an agent on pages: what changed, side by side, and going back."""

from typing import Annotated

from fastapi import APIRouter, Form, Path, Query, Request
from starlette.responses import Response

from app.core.permissions import Permission
from app.exceptions import NotFound
from app.models import Agent, AgentRevision
from app.pages.deps import AgentServiceDep, requires
from app.pages.diffs import SnapshotDiff, diff_snapshots
from app.pages.render import redirect, render
from app.schemas.base import MAX_BIGINT
from app.services.agent_revisions import AgentRevisionService
from app.services.statistics import StatisticsService

router = APIRouter(prefix="/agents/{agent_id}/revisions")
RowId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
READ = [requires(Permission.AGENTS_READ)]
WRITE = [requires(Permission.AGENTS_WRITE)]
PAGE_SIZE = 30


@router.get("", dependencies=READ)
async def list_revisions(
    request: Request,
    agent_id: RowId,
    agents: AgentServiceDep,
    before: Annotated[int | None, Query(ge=1, le=MAX_BIGINT)] = None,
    left: Annotated[int | None, Query(ge=1, le=MAX_BIGINT)] = None,
    right: Annotated[int | None, Query(ge=1, le=MAX_BIGINT)] = None,
) -> Response:
    """The newest revisions, and two of them side by side: by default the last change."""
    agent = await agents.get(agent_id)
    revisions = AgentRevisionService(agents.session, agents.actor)
    newest = await revisions.list_newest(agent, PAGE_SIZE + 1, before)
    shown, more = newest[:PAGE_SIZE], len(newest) > PAGE_SIZE
    new = await revisions.get(agent, right) if right else (shown[0] if shown else None)
    context = {
        "agent": agent,
        "tab": "revisions",
        "revisions": shown,
        "older": shown[-1].number if more else None,
        "runs": await StatisticsService(agents.session, agents.actor).by_revision(agent.id),
        "may_write": agents.actor.may(Permission.AGENTS_WRITE),
        "may_delete": agents.actor.may(Permission.AGENTS_DELETE),
        "diff": await diff_between(revisions, agent, left, new),
    }
    return render(request, "pages/agents/revisions.html", context)


async def diff_between(
    revisions: AgentRevisionService, agent: Agent, left: int | None, new: AgentRevision | None
) -> SnapshotDiff | None:
    """``new`` beside revision ``left``, or beside the one before it."""
    if new is None:
        return None
    number = left or new.number - 1
    try:
        old = await revisions.get(agent, number) if number else None
    except NotFound:
        old = None
    return diff_snapshots(old, new)


@router.post("/{number}/restore", dependencies=WRITE)
async def restore_revision(
    request: Request,
    agent_id: RowId,
    number: RowId,
    agents: AgentServiceDep,
    version: Annotated[int, Form(ge=1, le=MAX_BIGINT)],
) -> Response:
    await agents.restore_revision(agent_id, number, version=version)
    return redirect(request, f"/agents/{agent_id}/revisions", "restored")
