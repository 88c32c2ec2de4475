"""The list of runs: what it can be narrowed to, and what it can show."""

from collections.abc import Sequence

from app.core.texts import _, lazy
from app.models import Execution
from app.models.executions import ExecutionSource, ExecutionStatus
from app.pages.filter_bar import RANGES, Choices, Filter, Kind
from app.pages.list_state import ListState
from app.pages.list_table import Column, Table, table_of
from app.schemas.lists import ExecutionPageQuery
from app.services.agents import AgentService
from app.services.executions import ExecutionService

MAX_AGENTS = 100
COLUMNS = (
    Column("started", lazy("Started"), sort="-started_at", is_fixed=True),
    Column("agent", lazy("Agent")),
    Column("owner", lazy("Owner"), is_default=False),
    Column("status", lazy("Status")),
    Column("input", lazy("Input")),
    Column("model", lazy("Model"), is_wide=True),
    Column("tags", lazy("Tags"), is_default=False),
    Column("session", lazy("Session"), is_default=False),
    Column("source", lazy("Source"), is_default=False),
    Column("external_id", lazy("External id"), is_default=False),
    Column("trace_id", lazy("Trace id"), is_default=False),
    Column("error_type", lazy("Error"), is_default=False),
    Column("ended", lazy("Ended"), is_default=False),
    Column("steps", lazy("Steps"), is_number=True),
    Column("input_tokens", lazy("Tokens in"), is_number=True, is_default=False),
    Column("cached_tokens", lazy("Cached"), is_number=True, is_default=False),
    Column("output_tokens", lazy("Tokens out"), is_number=True, is_default=False),
    Column("tokens", lazy("Tokens"), is_number=True, is_wide=True),
    Column("cost", lazy("Cost"), is_number=True, is_wide=True),
    Column("latency", lazy("Latency"), is_number=True),
)
STATUSES = [(status.value, lazy(status.value.capitalize())) for status in ExecutionStatus]
SOURCES = [
    (ExecutionSource.API.value, "API"),
    (ExecutionSource.OTLP.value, "OTLP"),
    (ExecutionSource.PLAYGROUND.value, lazy("Playground")),
    (ExecutionSource.IMPORT.value, lazy("Import")),
]
LATENCIES = [
    ("5000", lazy("5 s")),
    ("10000", lazy("10 s")),
    ("30000", lazy("30 s")),
    ("60000", lazy("1 min")),
    ("300000", lazy("5 min")),
]
YES = [("true", lazy("With")), ("false", lazy("Without"))]


def execution_table(
    state: ListState, runs: Sequence[Execution], remembered: Sequence[str]
) -> Table:
    """Whose runs they are is shown where they are of several people."""
    are_mixed = len({run.agent.user_id for run in runs}) > 1
    return table_of(state, COLUMNS, remembered, ["owner"] if are_mixed else [])


async def agent_filter(runs: ExecutionService, state: ListState, find: str = "") -> Filter:
    """Those that are chosen, and the first ones by name or those that were found."""
    chosen = state.query(ExecutionPageQuery).agent_id
    agents = AgentService(runs.session, runs.actor)
    names = await agents.names(MAX_AGENTS, find, chosen)
    return Filter(
        "agent_id",
        _("agent"),
        Kind.MANY,
        [(str(agent_id), name) for agent_id, name in names],
        others=("agent",),
        find_href="/executions/agents" if len(names) >= MAX_AGENTS or find else "",
    )


async def execution_filters(runs: ExecutionService, state: ListState) -> list[Filter]:
    models = [(model, model) for model in await runs.models_seen()]
    return filters_with(await agent_filter(runs, state), models)


def filters_with(agents: Filter, models: Choices) -> list[Filter]:
    return [
        agents,
        Filter("status", _("status"), Kind.MANY, STATUSES),
        Filter("model", _("model"), Kind.ONE, models),
        Filter("range", _("time"), Kind.TIME, RANGES, others=("since", "until")),
        Filter("tag", _("tag"), Kind.TEXT),
        Filter(
            "min_cost", _("cost"), Kind.NUMBER, joiner=" ≥ ", unit="$", hint=_("At least, in USD")
        ),
        Filter("min_latency_ms", _("latency"), Kind.ONE, LATENCIES, joiner=" ≥ ", is_minor=True),
        Filter("has_errors", _("errors"), Kind.ONE, YES, is_minor=True),
        Filter("has_feedback", _("feedback"), Kind.ONE, YES, is_minor=True),
        Filter("source", _("source"), Kind.ONE, SOURCES, is_minor=True),
        Filter("revision", _("revision"), Kind.NUMBER, joiner=" ", is_minor=True),
        Filter("session_id", _("session"), Kind.TEXT, is_minor=True),
        Filter("external_id", _("external id"), Kind.TEXT, is_minor=True),
    ]
