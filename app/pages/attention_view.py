"""What needs attention in lines, each leading to where one acts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from app.core.actor import Actor
from app.core.templating import ago
from app.core.texts import _, ngettext
from app.core.wording import capped, number, span, words
from app.models import ApiKey, Job, WebhookEndpoint
from app.models.executions import Execution, ExecutionStatus
from app.pages.figures_view import runs_href
from app.pages.listing import href
from app.pages.plots import percent
from app.schemas.days import TimeRange
from app.services.attention import Attention, AttentionService, Several, days_of, much_failed
from app.services.base import COUNT_LIMIT
from app.services.execution_reads import LIST_LIMIT
from app.services.statistics import AgentFigures, StatisticsService
from app.services.time_windows import Window
from app.services.tool_calls import BrokenTool


@dataclass(frozen=True, slots=True)
class Line:
    """``status`` is one of ``components/status.html``."""

    status: str
    label: str
    words: str
    href: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What the dashboard is asked to show, and by whom."""

    actor: Actor
    window: Window | None
    agent_id: int | None


async def attention_lines(
    statistics: StatisticsService,
    window: Window | None,
    agent_id: int | None,
    failing: Sequence[AgentFigures],
) -> list[Line]:
    """The most pressing first; ``failing`` are agents with their figures in the window."""
    asked = Asked(statistics.actor, window, agent_id)
    found = await AttentionService(statistics.session, asked.actor).look(window, agent_id)
    return [
        *(agent_line(agent, window) for agent in much_failed(failing) if window),
        *lines_of(found, asked),
    ]


def lines_of(found: Attention, asked: Asked) -> Iterator[Line]:
    if found.stalled and asked.window:
        yield stalled_line(found.stalled, asked.window, asked.agent_id)
    yield from (tool_line(tool, days_of(found.lately)) for tool in found.broken)
    yield from (endpoint_line(endpoint) for endpoint in found.endpoints)
    if found.failed_jobs:
        yield jobs_line(found.failed_jobs, found.lately, asked.agent_id)
    yield from (key_line(key, asked.actor) for key in found.keys)


def agent_line(agent: AgentFigures, window: Window) -> Line:
    said = ngettext(
        "%(share)s of %(runs)s run failed",
        "%(share)s of %(runs)s runs failed",
        agent.figures.runs,
        share=percent(agent.figures.failure_rate or 0),
        runs=number(agent.figures.runs),
    )
    to = runs_href(window, agent_id=agent.agent_id, status=ExecutionStatus.FAILED.value)
    return Line("failed", agent.name, said, to)


def stalled_line(stalled: Several[Execution], window: Window, agent_id: int | None) -> Line:
    newest = stalled.newest
    return Line(
        "stalled",
        ngettext(
            "%(count)s run stalled",
            "%(count)s runs stalled",
            stalled.count,
            count=capped(stalled.count, LIST_LIMIT),
        ),
        _(
            "the newest of %(agent)s, %(when)s",
            agent=newest.agent.name,
            when=ago(newest.started_at),
        ),
        runs_href(window, agent_id=agent_id, status=ExecutionStatus.STALLED.value),
    )


def tool_line(tool: BrokenTool, days: int) -> Line:
    counts = {"broken": number(tool.broken), "checked": number(tool.checked)}
    said = (
        _("%(broken)s of %(checked)s calls: %(fault)s", fault=tool.fault, **counts)
        if tool.fault
        else _("%(broken)s of %(checked)s calls break it", **counts)
    )
    return Line("schema", tool.name, said, f"/tools/{tool.tool_id}?days={days}#calls")


def endpoint_line(endpoint: WebhookEndpoint) -> Line:
    since, said = endpoint.failing_since, endpoint.disabled_reason or ""
    if endpoint.is_active and since:
        said = _("took no message for %(time)s", time=span(datetime.now(UTC) - since))
    label = endpoint.description or endpoint.url
    return Line(endpoint.state.value, label, said, f"/webhooks/{endpoint.id}")


def jobs_line(failed: Several[Job], lately: TimeRange, agent_id: int | None) -> Line:
    newest = failed.newest
    return Line(
        "failed",
        ngettext(
            "%(count)s job failed",
            "%(count)s jobs failed",
            failed.count,
            count=capped(failed.count, COUNT_LIMIT),
        ),
        _("the newest: %(kind)s, %(when)s", kind=words(newest.kind), when=ago(newest.created_at)),
        href("/jobs", {"status": "failed", "range": lately.value, "agent_id": agent_id}),
    )


def key_line(key: ApiKey, actor: Actor) -> Line:
    """Whose it is, where it is another's."""
    when = ago(key.expires_at) if key.expires_at else ""
    said = (
        _("API key, expires %(when)s", when=when)
        if key.user_id == actor.user_id
        else _("API key of %(owner)s, expires %(when)s", owner=key.user.full_name, when=when)
    )
    return Line("expiring", key.name, said, f"/keys/{key.id}")
