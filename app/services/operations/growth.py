"""How fast the database grows, by what was measured, and when the disk is full at this pace."""

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial

from sqlalchemy import make_url

from app.core.config import Settings
from app.core.texts import _, lazy, ngettext
from app.core.wording import change
from app.models.storage_sizes import DATABASE
from app.schemas.operations import State
from app.services.operations.asking import Asking
from app.services.operations.findings import Outcome, graded, judged, ok, unknown

# A month, so that one that retention drops counts once; less than a day says nothing.
LOOKED_BACK, SHORTEST = timedelta(days=31), timedelta(days=1)
FAR_OFF_DAYS = 3650
WARN_DAYS, BAD_DAYS = 30, 7
ENDS = """
WITH ends AS (
    SELECT min(measured_at) AS since, max(measured_at) AS until FROM storage_sizes
    WHERE measured_at > clock_timestamp() - $1::interval
)
SELECT e.since, e.until, l.name, f.total_bytes AS was, l.total_bytes AS is
FROM ends e JOIN storage_sizes l ON l.measured_at = e.until
JOIN storage_sizes f ON f.measured_at = e.since AND f.name = l.name
"""
TOO_EARLY = lazy("A worker measures four times a day; a day is the least that says something.")
MAKE_ROOM = lazy("Make room, or keep runs for fewer days. A full disk stops PostgreSQL.")


@dataclass(frozen=True, slots=True)
class Growth:
    """Bytes a day between two moments, on the whole and of each table that is measured.

    ``full_on`` where the disk of the database is seen from here and this fills it in ten years.
    """

    since: datetime
    until: datetime
    bytes_per_day: float
    tables: Mapping[str, float]
    full_on: date | None = None

    @property
    def days(self) -> float:
        return (self.until - self.since) / timedelta(days=1)

    @property
    def days_left(self) -> int | None:
        return None if self.full_on is None else (self.full_on - self.until.date()).days


async def read_growth(asked: Asking) -> Growth | None:
    """``None`` while there is too little to go by."""
    rows = await asked.rows(ENDS, LOOKED_BACK)
    if not rows or rows[0]["until"] - rows[0]["since"] < SHORTEST:
        return None
    since, until = rows[0]["since"], rows[0]["until"]
    days = (until - since) / timedelta(days=1)
    paces = {row["name"]: (row["is"] - row["was"]) / days for row in rows}
    pace = paces.pop(DATABASE)
    free = await free_bytes(asked.settings)
    return Growth(since, until, pace, paces, full_on(pace, free, until.date()))


def full_on(pace: float, free: int | None, today: date) -> date | None:
    if free is None or pace <= 0 or free / pace > FAR_OFF_DAYS:
        return None
    return today + timedelta(days=int(free / pace))


async def free_bytes(settings: Settings) -> int | None:
    """On the disk of the database, where that is the embedded one: no other disk is seen here."""
    folder = settings.data_dir / "postgres"
    url = settings.database_url
    host = make_url(url.get_secret_value()).query.get("host", "") if url else ""
    if not folder.is_dir() or not str(host).startswith("/"):
        return None
    return (await asyncio.to_thread(partial(shutil.disk_usage, folder))).free


async def growth(asked: Asking) -> Outcome:
    found = await read_growth(asked)
    return unknown(_("not known yet"), str(TOO_EARLY)) if found is None else said_of(found)


def said_of(found: Growth) -> Outcome:
    pace = ngettext(
        "%(size)s a day over %(num)s day",
        "%(size)s a day over %(num)s days",
        round(found.days),
        size=change(found.bytes_per_day),
    )
    if found.full_on is None or found.days_left is None:
        return ok(pace)
    state = graded(-found.days_left, -WARN_DAYS, -BAD_DAYS)
    day = f"{found.full_on:%d %b %Y}"
    figure = _("%(pace)s; full about %(day)s", pace=pace, day=day)
    return judged(state, figure, str(MAKE_ROOM)) if state is not State.OK else ok(figure)
