"""What the database says of the installation as a whole: the queue, and messages going out.

Each statement is bounded: with a million jobs waiting, a look at them costs no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

COUNTED = 100_000
QUEUED = text(f"""
SELECT kind, state, count(*), coalesce(max(waited_s), 0) FROM (
    SELECT entrypoint AS kind,
        CASE WHEN status = 'picked' THEN 'running' WHEN execute_after > clock_timestamp()
            THEN 'later' ELSE 'due' END AS state,
        CASE WHEN status = 'queued' AND execute_after <= clock_timestamp()
            THEN extract(epoch FROM clock_timestamp() - execute_after) END AS waited_s
    FROM pgqueuer.queue LIMIT {COUNTED}
) AS places GROUP BY kind, state
""")  # noqa: S608  (a constant of ours)
DEAD = text(f"""
SELECT kind, count(*) FROM (
    SELECT kind FROM jobs
    WHERE status = 'failed' AND created_at > now() - interval '7 days' LIMIT {COUNTED}
) AS dead GROUP BY kind
""")  # noqa: S608
OUTGOING = text(f"""
SELECT 'pending', count(*) FROM (
    SELECT FROM webhook_deliveries WHERE status = 'pending' LIMIT {COUNTED}
) AS pending
UNION ALL
SELECT CASE WHEN NOT is_active THEN 'disabled' WHEN failing_since IS NULL THEN 'active'
    ELSE 'failing' END, count(*)
FROM webhook_endpoints WHERE deleted_at IS NULL GROUP BY 1
""")  # noqa: S608


@dataclass(frozen=True, slots=True)
class Places:
    """Places in the queue of one kind: ``due``, ``later`` or ``running``."""

    kind: str
    state: str
    count: int
    waited_s: float


@dataclass(frozen=True, slots=True)
class Measures:
    """``dead`` are jobs by kind that were asked for within 7 days and given up."""

    places: Sequence[Places]
    dead: dict[str, int]
    pending_deliveries: int
    endpoints: dict[str, int]


async def read_measures(session: AsyncSession) -> Measures:
    """Three statements, whatever there is."""
    found = await session.execute(QUEUED)
    places = [Places(kind, state, count, float(waited)) for kind, state, count, waited in found]
    dead = {row[0]: row[1] for row in await session.execute(DEAD)}
    outgoing = {row[0]: row[1] for row in await session.execute(OUTGOING)}
    pending = outgoing.pop("pending")
    return Measures(places, dead, pending, outgoing)
