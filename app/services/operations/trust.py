"""What the installation is trusted for: its audit log, its secrets, its backups."""

from datetime import timedelta

from app.core.keys import key_id, key_ring
from app.core.texts import _, lazy, ngettext
from app.core.wording import span
from app.schemas.operations import State
from app.services.audit_digests import SEAL_KEY
from app.services.operations.asking import Asking, Check
from app.services.operations.findings import Outcome, graded, judged, ok, unknown
from app.services.operations.wording import up_to

GROUP = lazy("Trust")
SOON_DAYS = 14
COUNTED = 1_000
SEALS = """
SELECT clock_timestamp() - (SELECT max(sealed_at) FROM audit_seals) AS sealed_ago,
    (SELECT max(at) FROM audit_events) - (SELECT max(sealed_at) FROM audit_seals) AS behind,
    EXISTS (SELECT FROM audit_events) AS has_events
"""
NEWEST_SEAL_KEY = "SELECT key_id FROM audit_seals ORDER BY id DESC LIMIT 1"
EXPIRING = """
SELECT count(*) FROM (SELECT FROM api_keys WHERE revoked_at IS NULL AND replaced_by_id IS NULL
    AND expires_at BETWEEN clock_timestamp() AND clock_timestamp() + make_interval(days => $1)
    LIMIT $2) found
"""

LAST_BACKUP = """
SELECT clock_timestamp() - at FROM audit_events WHERE action = 'back_up' ORDER BY id DESC LIMIT 1
"""
LAST_CHECK = """
SELECT clock_timestamp() - at AS ago, coalesce((changes -> 'problems' ->> 1)::int, 0) AS problems
FROM audit_events WHERE action = 'verify' AND resource = 'audit_seals' ORDER BY id DESC LIMIT 1
"""


async def backups(asked: Asking) -> Outcome:
    """Those that ``python -m app backup`` made: each is on record."""
    ago: timedelta | None = await asked.value(LAST_BACKUP)
    if ago is None:
        return unknown(
            _("none on record"),
            _(
                "python -m app backup makes one while everything runs. Those that other programs "
                "make are not seen here."
            ),
        )
    return judged(
        graded(ago / timedelta(days=1), 3, 15),
        _("the last %(time)s ago", time=span(ago)),
        _("Make one: python -m app backup; and let a timer do it every day."),
    )


async def verified(asked: Asking) -> Outcome:
    rows = await asked.rows(LAST_CHECK)
    if not rows:
        return unknown(_("not yet"), _("python -m app audit verify reads it through once."))
    [row] = rows
    ago: timedelta = row["ago"]
    if row["problems"]:
        return judged(
            State.BAD,
            ngettext(
                "%(num)s problem %(time)s ago",
                "%(num)s problems %(time)s ago",
                row["problems"],
                time=span(ago),
            ),
            _("Run python -m app audit verify, and find out who can write tables."),
        )
    return judged(
        graded(ago / timedelta(days=1), 40, 400),
        _("%(time)s ago, as it was sealed", time=span(ago)),
        _("Read it through again: python -m app audit verify"),
    )


async def audit_seals(asked: Asking) -> Outcome:
    """A worker seals every few seconds; what is behind by minutes was not sealed."""
    row = await asked.row(SEALS)
    if not row["has_events"]:
        return ok(_("nothing to seal yet"))
    if row["sealed_ago"] is None:
        return judged(
            State.WARN, _("never sealed"), _("A worker seals the audit log: see that one runs.")
        )
    behind: timedelta = max(row["behind"], timedelta(0))
    return judged(
        graded(behind.total_seconds(), 300, 3600),
        _("last sealed %(time)s ago", time=span(row["sealed_ago"])),
        _("Newer events are not sealed yet. A worker does it: see that one runs."),
    )


async def secrets(asked: Asking) -> Outcome:
    """Old secrets should not stay for ever, and the newest seal should be of the one in use."""
    old = len(asked.settings.old_secret_keys)
    in_use = key_id(key_ring(asked.settings, SEAL_KEY)[0])
    newest = await asked.value(NEWEST_SEAL_KEY)
    is_ours = newest is None or newest == in_use
    if not is_ours and not old:
        return judged(
            State.BAD,
            _("SECRET_KEY is another one"),
            _(
                "The audit log was last sealed under another SECRET_KEY. Put the one before into "
                "OLD_SECRET_KEYS, or what it encrypted cannot be read."
            ),
        )
    return judged(
        State.WARN if old else State.OK,
        ngettext("%(num)s old secret key accepted", "%(num)s old secret keys accepted", old)
        if old
        else _("one secret key"),
        _(
            "Take OLD_SECRET_KEYS out again once everybody has logged in anew and nothing is "
            "encrypted under them."
        ),
    )


async def expiring_keys(asked: Asking) -> Outcome:
    found = await asked.value(EXPIRING, SOON_DAYS, COUNTED)
    return judged(
        State.WARN if found else State.OK,
        ngettext(
            "%(num)s key within %(days)s days",
            "%(num)s keys within %(days)s days",
            found,
            num=up_to(COUNTED, found),
            days=SOON_DAYS,
        ),
        _("Rotate them with an overlap, so that their runtimes are not cut off."),
    )


CHECKS = (
    Check("backups", GROUP, lazy("Backups"), backups, "operations#backups-and-verifying"),
    Check("audit_seals", GROUP, lazy("Audit log"), audit_seals, "audit", "/audit"),
    Check(
        "verified",
        GROUP,
        lazy("Audit log verified"),
        verified,
        "operations#backups-and-verifying",
        "/audit?resource=audit_seals",
    ),
    Check("secrets", GROUP, lazy("Secrets"), secrets, "operations#secrets"),
    Check(
        "expiring_keys",
        GROUP,
        lazy("Keys that expire"),
        expiring_keys,
        "users-and-keys#api-keys",
        "/keys?everyone=1",
    ),
)
