"""What the worker does: jobs by their kind, and chores by the clock. New ones get a line here."""

from app.jobs.analyze_agent import analyze_agent
from app.jobs.bulk_changes import change_rows
from app.jobs.chores import (
    drop_empty_drafts,
    gather_words,
    make_partitions,
    mark_stalled_runs,
    measure_storage,
    prune_config_pulls,
    prune_live_events,
    prune_tool_calls,
    remove_expired,
    remove_ingest_batches,
    requeue_lost_jobs,
    seal_audit_log,
    settle_webhooks,
    sum_runs_by_hour,
)
from app.jobs.imports import import_rows
from app.jobs.mails import send_mail
from app.jobs.recompute_costs import recompute_costs
from app.jobs.registry import Handled, Schedule
from app.jobs.retention import apply_retention, keep_for_as_long_as_said
from app.jobs.runs import end_lost_runs, run_agent, runs_at_once
from app.jobs.tool_calls import count_tool_calls
from app.jobs.webhook_deliveries import deliver_webhook
from app.models import JobKind
from app.services.webhook_turns import turn_of_delivery

ANALYSES_AT_ONCE = 2
BULK_CHANGES_AT_ONCE = 2
DELIVERIES_AT_ONCE = 8
IMPORTS_AT_ONCE = 2
MAILS_AT_ONCE = 3

HANDLED: tuple[Handled, ...] = (
    Handled(JobKind.ANALYZE_AGENT, analyze_agent, concurrency=ANALYSES_AT_ONCE),
    Handled(JobKind.RECOMPUTE_COSTS, recompute_costs, concurrency=1),
    Handled(JobKind.BULK_CHANGE, change_rows, concurrency=BULK_CHANGES_AT_ONCE),
    Handled(JobKind.IMPORT_ROWS, import_rows, concurrency=IMPORTS_AT_ONCE),
    Handled(JobKind.APPLY_RETENTION, apply_retention, concurrency=1),
    Handled(JobKind.RUN_AGENT, run_agent, places=runs_at_once),
    Handled(
        JobKind.SEND_MAIL, send_mail, concurrency=MAILS_AT_ONCE, places=lambda _: MAILS_AT_ONCE
    ),
    Handled(
        JobKind.DELIVER_WEBHOOK,
        deliver_webhook,
        concurrency=DELIVERIES_AT_ONCE,
        turn=turn_of_delivery,
        places=lambda _: DELIVERIES_AT_ONCE,
    ),
)

SCHEDULES: tuple[Schedule, ...] = (
    Schedule("seal the audit log", "* * * * * */5", seal_audit_log),
    Schedule("find lost jobs", "* * * * *", requeue_lost_jobs),
    Schedule("end interrupted runs", "* * * * * */10", end_lost_runs),
    Schedule("mark stalled runs", "* * * * *", mark_stalled_runs),
    Schedule("gather words to find runs by", "* * * * * */5", gather_words),
    Schedule("drop drafts without runs", "11 * * * *", drop_empty_drafts),
    Schedule("remove what has expired", "7 * * * *", remove_expired),
    Schedule("make partitions of the coming months", "17 3 * * *", make_partitions),
    Schedule("measure what is stored", "13 */6 * * *", measure_storage),
    Schedule("sum runs by the hour", "* * * * *", sum_runs_by_hour),
    Schedule("settle webhook deliveries", "* * * * *", settle_webhooks),
    Schedule("remove old receipts of OpenTelemetry", "47 * * * *", remove_ingest_batches),
    Schedule("forget keys that pull no more", "27 4 * * *", prune_config_pulls),
    Schedule("forget delivered events", "*/5 * * * *", prune_live_events),
    Schedule("count calls of tools", "* * * * *", count_tool_calls),
    Schedule("remove what is kept no longer", "23 4 * * *", keep_for_as_long_as_said),
    Schedule("forget old counts of calls", "47 3 * * *", prune_tool_calls),
)
