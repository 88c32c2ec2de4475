"""What the worker does: jobs by their kind, and chores by the clock. New ones get a line here."""

from app.jobs.chores import prune_live_events, requeue_lost_jobs, seal_audit_log
from app.jobs.registry import Handled, Schedule

HANDLED: tuple[Handled, ...] = ()

SCHEDULES: tuple[Schedule, ...] = (
    Schedule("seal the audit log", "* * * * * */5", seal_audit_log),
    Schedule("find lost jobs", "* * * * *", requeue_lost_jobs),
    Schedule("forget delivered events", "*/5 * * * *", prune_live_events),
)
