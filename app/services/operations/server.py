"""The database server itself: its version, connections, transactions, locks, clock and cache."""

import time
from datetime import UTC, datetime, timedelta

from app.core.texts import _, lazy, ngettext
from app.core.wording import number, share, span
from app.models import Presence
from app.schemas.operations import State
from app.services.operations.asking import Asking, Check
from app.services.operations.findings import Outcome, graded, judged, ok, unknown

GROUP = lazy("Database")
OLDEST_VERSION = 160_000
CONNECTIONS = """
SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,
    current_setting('max_connections')::int
    - current_setting('superuser_reserved_connections')::int AS most
"""
OLDEST_TRANSACTION = """
SELECT coalesce(max(clock_timestamp() - xact_start), interval '0') AS oldest,
    count(*) FILTER (WHERE state LIKE 'idle in transaction%'
        AND clock_timestamp() - state_change > interval '30 seconds') AS idle
FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
WAITING = """
SELECT count(*) AS waiting, coalesce(max(clock_timestamp() - query_start), interval '0') AS longest
FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND clock_timestamp() - query_start > interval '1 second'
"""
CACHE = """
SELECT blks_hit AS hit, blks_read AS read, deadlocks, temp_bytes
FROM pg_stat_database WHERE datname = current_database()
"""
WRAPAROUND = "SELECT max(age(datfrozenxid)) FROM pg_database WHERE datallowconn"
SERVER = """
SELECT current_setting('server_version') AS version,
    current_setting('server_version_num')::int AS number,
    clock_timestamp() - pg_postmaster_start_time() AS up
"""
EXTENSION = """
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_stat_statements') AS made,
    EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements') AS offered
"""
ENOUGH_BLOCKS = 100_000
# Who looks at what at this moment is not worth a write to the log.
MAY_BE_LOST = (Presence.__tablename__,)


async def version(asked: Asking) -> Outcome:
    row = await asked.row(SERVER)
    release = str(row["version"]).split()[0]
    figure = _("PostgreSQL %(number)s, up for %(time)s", number=release, time=span(row["up"]))
    state = State.OK if row["number"] >= OLDEST_VERSION else State.BAD
    return judged(state, figure, _("Greenroom needs PostgreSQL 16 or newer."))


async def connections(asked: Asking) -> Outcome:
    row = await asked.row(CONNECTIONS)
    return judged(
        graded(row["used"] / max(row["most"], 1), 0.8, 0.95),
        _("%(used)s of %(most)s", used=number(row["used"]), most=number(row["most"])),
        _(
            "Give each process fewer (DATABASE_POOL_SIZE), raise max_connections, or put a pooler "
            "in between."
        ),
    )


async def transactions(asked: Asking) -> Outcome:
    row = await asked.row(OLDEST_TRANSACTION)
    oldest: timedelta = row["oldest"]
    state = graded(oldest.total_seconds(), 300, 3600)
    state = State.WARN if row["idle"] and state is State.OK else state
    parts = [_("oldest %(time)s", time=span(oldest))]
    parts += [_("%(count)s idle in between", count=row["idle"])] if row["idle"] else []
    return judged(
        state,
        ", ".join(parts) if oldest.total_seconds() >= 1 else _("none for long"),
        _(
            "See below who holds it open. Vacuum cannot clean up behind it; "
            "pg_terminate_backend(pid) ends it."
        ),
    )


async def locks(asked: Asking) -> Outcome:
    row = await asked.row(WAITING)
    waiting, longest = row["waiting"], span(row["longest"])
    return judged(
        graded(waiting, 1, 10),
        _("%(count)s waiting, longest %(time)s", count=waiting, time=longest)
        if waiting
        else _("none"),
        _("See below who waits for whom. A migration or a long transaction is the usual reason."),
    )


async def cache(asked: Asking) -> Outcome:
    row = await asked.row(CACHE)
    blocks = row["hit"] + row["read"]
    if blocks < ENOUGH_BLOCKS:
        return ok(_("too few reads to say"))
    ratio = row["hit"] / blocks
    return judged(
        State.OK if ratio >= 0.9 else State.WARN,
        _("%(share)s of blocks", share=share(ratio, 1)),
        _("Give PostgreSQL more memory (shared_buffers), or keep runs for fewer days."),
    )


async def clock(asked: Asking) -> Outcome:
    """The database's clock beside this process's, less half of the way there and back."""
    began = time.monotonic()
    there = await asked.now()
    way_s = (time.monotonic() - began) / 2
    apart_s = abs((datetime.now(UTC) - there).total_seconds() - way_s)
    apart = f"{apart_s * 1000:.0f} ms" if apart_s < 1 else f"{apart_s:.1f} s"
    return judged(
        graded(apart_s, 2, 30),
        _("%(time)s apart", time=apart),
        _("Let both machines keep time by NTP. Logins and leases go by the database's clock."),
    )


async def wraparound(asked: Asking) -> Outcome:
    age = await asked.value(WRAPAROUND)
    return judged(
        graded(age, 1_000_000_000, 1_600_000_000),
        _("%(millions)s of 2,147 million", millions=number(round(age / 1_000_000))),
        _("Autovacuum does not keep up. Look for long transactions, then run VACUUM (FREEZE)."),
    )


async def slow_statements(asked: Asking) -> Outcome:
    row = await asked.row(EXTENSION)
    if row["made"]:
        return ok(_("recorded, see below"))
    if row["offered"]:
        advice = _(
            "Set shared_preload_libraries = 'pg_stat_statements', restart PostgreSQL, and run "
            "CREATE EXTENSION pg_stat_statements in this database."
        )
        return unknown(_("not recorded"), advice)
    return unknown(
        _("not recorded"),
        _(
            "This PostgreSQL does not bring pg_stat_statements along; one of your own "
            "(DATABASE_URL) usually does."
        ),
    )


async def pool(asked: Asking) -> Outcome:
    """Of the process that answers: each of the others has a pool of its own."""
    used, size = asked.here.get("pool_used"), asked.here.get("pool_size")
    if used is None or size is None:
        return unknown(_("no web process here"))
    return judged(
        graded(used / size, 0.9, 2),
        _("%(used)s of %(size)s in use", used=used, size=size),
        _("Requests wait for connections. Add processes, or raise DATABASE_POOL_SIZE."),
    )


def settings_in_words(changed: dict[str, str]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in changed.items())


async def durability(asked: Asking) -> Outcome:
    """What was answered as saved must survive a crash: nothing here may be switched off."""
    names = ("fsync", "full_page_writes", "synchronous_commit")
    found = {name: await asked.value("SELECT current_setting($1)", name) for name in names}
    off = {name: value for name, value in found.items() if value == "off"}
    unlogged = await asked.value(
        "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relpersistence = 'u' AND c.relkind IN ('r', 'p') "
        "AND n.nspname IN ('public', 'pgqueuer') AND c.relname <> ALL($1)",
        list(MAY_BE_LOST),
    )
    lost = [settings_in_words(off)] * bool(off) + (
        [ngettext("%(num)s unlogged table", "%(num)s unlogged tables", unlogged)]
        if unlogged
        else []
    )
    return judged(
        State.BAD if lost else State.OK,
        "; ".join(lost) or _("commits are on disk"),
        _(
            "What was saved can be lost in a crash. Turn these on again in postgresql.conf, and "
            "make the tables LOGGED."
        ),
    )


CHECKS = (
    Check("version", GROUP, lazy("Server"), version),
    Check("durability", GROUP, lazy("Durability"), durability, "operations#durability"),
    Check("connections", GROUP, lazy("Connections"), connections, "operations#connections"),
    Check("pool", GROUP, lazy("Pool of this process"), pool, "operations#connections"),
    Check(
        "transactions", GROUP, lazy("Open transactions"), transactions, "operations#transactions"
    ),
    Check("locks", GROUP, lazy("Waiting for locks"), locks, "operations#transactions"),
    Check("cache", GROUP, lazy("Read from memory"), cache, "operations#connections"),
    Check(
        "slow_statements",
        GROUP,
        lazy("Slow statements"),
        slow_statements,
        "operations#slow-statements",
    ),
    Check("clock", GROUP, lazy("Clock"), clock, "operations#clock"),
    Check("wraparound", GROUP, lazy("Transaction ids"), wraparound, "operations#vacuum"),
)
