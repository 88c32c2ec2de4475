"""The list of jobs: what it can be narrowed to, and what it can show."""

from app.core.texts import lazy
from app.core.wording import lazy_words
from app.models import JobKind, JobStatus
from app.pages.filter_bar import RANGES, Choices, Filter, Kind
from app.pages.list_table import Column
from app.services.agents import AgentService
from app.services.jobs import JobService
from app.services.owners import owners_in

COLUMNS = (
    Column("job", lazy("Job"), is_fixed=True),
    Column("status", lazy("Status")),
    Column("progress", lazy("Progress")),
    Column("about", lazy("About")),
    Column("by", lazy("Asked for by")),
    Column("tries", lazy("Tries"), is_number=True, is_default=False),
    Column("begun", lazy("Begun"), is_default=False),
    Column("ended", lazy("Ended"), is_default=False),
    Column("asked", lazy("Asked for"), sort="-created_at"),
)
KINDS = [(kind.value, lazy_words(kind.value)) for kind in JobKind]
STATUSES = [(status.value, lazy_words(status.value)) for status in JobStatus]
SHOWN = [("true", lazy("Shown too"))]


async def job_filters(jobs: JobService) -> list[Filter]:
    people = [(str(user_id), name) for user_id, name in await owners_in(jobs)]
    names = await AgentService(jobs.session, jobs.actor).names()
    return filters_with([(str(agent_id), name) for agent_id, name in names], people)


def filters_with(agents: Choices, people: Choices) -> list[Filter]:
    return [
        Filter("status", lazy("status"), Kind.ONE, STATUSES),
        Filter("kind", lazy("kind"), Kind.ONE, KINDS),
        Filter("range", lazy("time"), Kind.TIME, RANGES, others=("since", "until")),
        Filter("user_id", lazy("asked for by"), Kind.ONE, people, joiner=" "),
        Filter("agent_id", lazy("agent"), Kind.ONE, agents),
        Filter("deliveries", lazy("webhook deliveries"), Kind.ONE, SHOWN),
    ]
