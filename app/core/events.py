"""Live events: hints that something changed, sent once the change is committed.

An event never carries the truth, only where to look: who hears it fetches again over HTTP.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

PENDING = "live_events"
EVERYWHERE = "*"
Outbox = Callable[[Sequence["Event"]], None]


@dataclass(frozen=True, slots=True)
class Event:
    """``room`` says who may hear it (``agent:7``), ``type`` what happened, ``data`` to which rows.

    ``origin`` names the socket that sent it and does not hear it again.
    """

    room: str
    type: str
    data: dict[str, Any] = field(default_factory=dict)  # JSON
    origin: str | None = None


# Sent to every room after a gap that cannot be caught up: fetch everything again.
RESYNC = Event(EVERYWHERE, "resync")


def publish(session: AsyncSession, *events: Event) -> None:
    """Send the events once this session's unit of work is committed; else they never were."""
    session.info.setdefault(PENDING, []).extend(events)


def discard(_: Sequence[Event]) -> None:
    """The outbox of processes whose changes nobody needs to see at once, such as commands."""
