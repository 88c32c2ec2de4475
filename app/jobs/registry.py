"""Which function does which kind of job, and what is done by the clock."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.core.config import Settings
from app.jobs.context import Handler, Resources
from app.models import JobKind
from app.services.job_attempts import Turn

Chore = Callable[[Resources], Awaitable[None]]
Places = Callable[[Settings], int]


@dataclass(frozen=True, slots=True)
class Handled:
    """``concurrency`` bounds how many run at once over all workers; 0 is no bound.

    ``turn`` may have a job wait for others of its kind. ``places`` is how many of this kind one
    worker does at once, beside WORKER_CONCURRENCY, which is for all kinds without: each keeps its
    own, however many of the others wait.
    """

    kind: JobKind
    handler: Handler
    concurrency: int = 0
    turn: Turn | None = None
    places: Places | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """``cron`` has five fields, or six with seconds last; one worker does it each time."""

    name: str
    cron: str
    chore: Chore
