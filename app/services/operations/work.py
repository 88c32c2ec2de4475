"""What waits, what failed, and what was refused lately."""

from app.core.mail import Mailer
from app.core.texts import _, lazy, ngettext
from app.core.wording import number, span
from app.models import JobKind, JobStatus
from app.models.executions import ExecutionStatus
from app.models.webhook_deliveries import DeliveryStatus
from app.schemas.operations import State
from app.services.operations.asking import Asking, Check
from app.services.operations.findings import Outcome, graded, judged, ok, unknown
from app.services.operations.wording import up_to

GROUP, LIMITS = lazy("Work"), lazy("Limits and refusals")
COUNTED = 1_000  # counting stops there
QUEUE = """
SELECT (SELECT count(*) FROM (SELECT FROM pgqueuer.queue WHERE status = 'queued'
        AND execute_after <= clock_timestamp() LIMIT 10001) w) AS due,
    (SELECT count(*) FROM (SELECT FROM pgqueuer.queue WHERE status = 'queued'
        AND execute_after > clock_timestamp() LIMIT 10001) w) AS later,
    (SELECT count(*) FROM (SELECT FROM pgqueuer.queue WHERE status = 'picked' LIMIT 10001) w)
        AS running,
    (SELECT clock_timestamp() - min(execute_after) FROM pgqueuer.queue
        WHERE status = 'queued' AND execute_after <= clock_timestamp()) AS lag
"""
CHORES = """
SELECT count(*) AS known, count(*) FILTER (WHERE next_run < now() - interval '2 minutes') AS late
FROM pgqueuer.schedules WHERE updated > now() - interval '7 days'
"""
FAILED_JOBS = """
SELECT count(*) FILTER (WHERE created_at > clock_timestamp() - interval '1 day') AS today,
    count(*) AS total
FROM (SELECT created_at FROM jobs WHERE status = $1 AND kind <> ALL($2)
    ORDER BY created_at DESC LIMIT $3) found
"""
FAILED_MAILS = """
SELECT count(*) FROM (SELECT FROM jobs WHERE kind = $1 AND status = $2
    AND created_at > clock_timestamp() - interval '7 days' LIMIT $3) found
"""
STALLED = """
SELECT count(*) FROM (SELECT FROM executions WHERE status = $1 AND deleted_at IS NULL
    AND started_at > clock_timestamp() - interval '1 day' LIMIT $2) found
"""
WEBHOOKS = """
SELECT (SELECT count(*) FROM webhook_endpoints WHERE deleted_at IS NULL AND is_active
        AND failing_since IS NOT NULL) AS failing,
    (SELECT count(*) FROM webhook_endpoints WHERE deleted_at IS NULL AND NOT is_active
        AND disabled_reason IS NOT NULL) AS disabled,
    (SELECT count(*) FROM (SELECT status FROM webhook_deliveries
        WHERE created_at > clock_timestamp() - interval '1 day'
        ORDER BY created_at DESC, id DESC LIMIT 10000) d WHERE d.status = $1) AS failed
"""
REJECTED = """
SELECT coalesce(sum(rejected_count), 0)::bigint AS spans, count(*) AS batches
FROM (SELECT rejected_count FROM ingest_batches WHERE rejected_count > 0
    AND created_at > clock_timestamp() - interval '1 day' LIMIT $1) found
"""
DENIED = """
SELECT count(*) FILTER (WHERE at > clock_timestamp() - interval '1 day')
FROM (SELECT at FROM audit_events WHERE action = 'denied' ORDER BY id DESC LIMIT $1) found
"""
LOGINS = """
SELECT count(*) FROM (SELECT DISTINCT subject FROM login_attempts
    WHERE at > clock_timestamp() - interval '1 hour' LIMIT $1) found
"""


async def queue(asked: Asking) -> Outcome:
    row = await asked.row(QUEUE)
    lag_s = row["lag"].total_seconds() if row["lag"] else 0
    counts = {name: number(row[name]) for name in ("due", "running", "later")}
    parts = [_("%(due)s due, %(running)s running, %(later)s later", **counts)]
    parts += [_("the oldest waits for %(time)s", time=span(row["lag"]))] if row["lag"] else []
    return judged(
        graded(lag_s, 120, 1800),
        "; ".join(parts),
        _("See that a worker runs (python -m app worker), or run more of them."),
    )


async def chores(asked: Asking) -> Outcome:
    row = await asked.row(CHORES)
    if not row["known"]:
        return judged(
            State.WARN,
            _("no worker seen yet"),
            _("Run one: python -m app worker, or python -m app run, which brings one along."),
        )
    return judged(
        State.BAD if row["late"] else State.OK,
        _("%(late)s of %(known)s late", late=row["late"], known=row["known"])
        if row["late"]
        else _("all on time"),
        _("No worker has taken them up. Start one: python -m app worker"),
    )


async def failed_jobs(asked: Asking) -> Outcome:
    """Dead letters: jobs whose last try failed. Deliveries and mails are counted by themselves."""
    apart = [JobKind.DELIVER_WEBHOOK.value, JobKind.SEND_MAIL.value]
    row = await asked.row(FAILED_JOBS, JobStatus.FAILED.value, apart, COUNTED)
    today, total = row["today"], row["total"]
    return judged(
        State.WARN if today else State.OK,
        ngettext(
            "%(num)s job today, %(total)s in all",
            "%(num)s jobs today, %(total)s in all",
            today,
            num=up_to(COUNTED, today),
            total=up_to(COUNTED, total),
        ),
        _("Read why each failed; then try it again or leave it."),
    )


async def mails(asked: Asking) -> Outcome:
    failed = await asked.value(
        FAILED_MAILS, JobKind.SEND_MAIL.value, JobStatus.FAILED.value, COUNTED
    )
    if not Mailer(asked.settings).configured:
        return unknown(
            _("no mail server"),
            _("Superusers pass links on by hand. SMTP_HOST makes Greenroom send them."),
        )
    return judged(
        State.WARN if failed else State.OK,
        ngettext(
            "%(num)s mail failed in a week",
            "%(num)s mails failed in a week",
            failed,
            num=up_to(COUNTED, failed),
        ),
        _("Read what the mail server said; python -m app doctor tries a connection."),
    )


async def stalled(asked: Asking) -> Outcome:
    found = await asked.value(STALLED, ExecutionStatus.STALLED.value, COUNTED)
    return judged(
        State.WARN if found else State.OK,
        ngettext("%(num)s run today", "%(num)s runs today", found, num=up_to(COUNTED, found)),
        _("These runs began and were not heard of again: look whether their runtimes still run."),
    )


async def webhooks(asked: Asking) -> Outcome:
    row = await asked.row(WEBHOOKS, DeliveryStatus.FAILED.value)
    failing, disabled = row["failing"], row["disabled"]
    parts = [_("%(count)s failed today", count=number(row["failed"]))]
    parts += [_("%(count)s failing", count=failing)] if failing else []
    parts += [_("%(count)s switched off", count=disabled)] if disabled else []
    return judged(
        State.WARN if any(row.values()) else State.OK,
        ", ".join(parts),
        _("Their receivers do not answer as they should: see the answers, then send again."),
    )


async def rejected(asked: Asking) -> Outcome:
    spans: int = (await asked.row(REJECTED, COUNTED))["spans"]
    return judged(
        State.WARN if spans else State.OK,
        ngettext("%(num)s span today", "%(num)s spans today", spans),
        _("Receipts keep each with its reason; most can be sent again once that is mended."),
    )


async def denied(asked: Asking) -> Outcome:
    found = await asked.value(DENIED, COUNTED)
    return judged(
        graded(found, 100, COUNTED + 1),
        ngettext(
            "%(num)s request today", "%(num)s requests today", found, num=up_to(COUNTED, found)
        ),
        _("Many requests for what somebody may not do. The audit log says whose they are."),
    )


async def logins(asked: Asking) -> Outcome:
    """Tries that were not given back by a login that succeeded, by account, device and address."""
    found = await asked.value(LOGINS, COUNTED)
    return judged(
        graded(found, 100, COUNTED + 1),
        ngettext(
            "%(num)s account or address in an hour",
            "%(num)s accounts or addresses in an hour",
            found,
            num=up_to(COUNTED, found),
        ),
        _("Many accounts or addresses fail to log in: somebody may be guessing."),
    )


async def rate_limits(asked: Asking) -> Outcome:
    """Of the process that answers."""
    refused = asked.here.get("refused")
    if refused is None:
        return unknown(_("no web process here"))
    if asked.here.get("redis_is_degraded"):
        return judged(
            State.WARN,
            _("Redis does not answer"),
            _("Each process counts by itself, so limits are that many times higher. See to Redis."),
        )
    total = sum(refused.values())
    said = ", ".join(f"{count:,} {name}" for name, count in sorted(refused.items()) if count)
    return ok(_("%(counts)s refused", counts=said) if total else _("none refused"))


CHECKS = (
    Check("queue", GROUP, lazy("Queue"), queue, "operations#queue", "/jobs"),
    Check("chores", GROUP, lazy("Chores by the clock"), chores, "operations#queue", "/jobs"),
    Check(
        "failed_jobs",
        GROUP,
        lazy("Failed jobs"),
        failed_jobs,
        "operations#failed-work",
        "/jobs?status=failed",
    ),
    Check(
        "stalled", GROUP, lazy("Stalled runs"), stalled, "executions", "/executions?status=stalled"
    ),
    Check("webhooks", GROUP, lazy("Webhooks"), webhooks, "webhooks", "/webhooks"),
    Check(
        "mails",
        GROUP,
        lazy("Mails"),
        mails,
        "operations#failed-work",
        "/jobs?kind=send_mail&status=failed",
    ),
    Check("rejected", LIMITS, lazy("Refused spans"), rejected, "opentelemetry#receipts", "/ingest"),
    Check("rate_limits", LIMITS, lazy("Rate limits"), rate_limits, "operations#limits"),
    Check(
        "denied",
        LIMITS,
        lazy("Refused requests"),
        denied,
        "operations#limits",
        "/audit?action=denied",
    ),
    Check(
        "logins",
        LIMITS,
        lazy("Failed logins"),
        logins,
        "operations#limits",
        "/audit?resource=staff_sessions",
    ),
)
