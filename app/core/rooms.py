"""Rooms of one process: which open socket hears what. Knows no web framework and no rights.

Nobody waits for anybody: what is said to a room is put into a bounded queue for each of its
sockets, and each socket sends by itself. One whose queue runs full is hung up on.
"""

import asyncio
import json
from collections import Counter, deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, Protocol

from app.core.events import EVERYWHERE, Event

MAX_WAITING = 512
SEND_WITHIN_S = 10.0
CLOSE_WITHIN_S = 2.0


class Socket(Protocol):
    """What a web framework offers. Both raise ``ConnectionError`` when the client is gone."""

    async def send(self, text: str) -> None: ...

    async def close(self, code: int, reason: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Ending:
    """Why we hang up: a close code (RFC 6455, 7.4) and up to 123 bytes of text."""

    code: int
    reason: str


TOO_SLOW = Ending(1013, "You read too slowly: connect again and fetch what you missed.")
RESTARTING = Ending(1012, "The server restarts: connect again.")


class Member:
    """One open socket, of ``owner``, in any number of rooms."""

    __slots__ = ("_ending", "_is_over", "_sending", "_socket", "_waiting", "_wake", "id", "owner")

    def __init__(self, socket: Socket, owner: str) -> None:
        self.id = token_hex(8)
        self.owner = owner
        self._socket = socket
        self._waiting: deque[str] = deque()
        self._wake = asyncio.Event()
        self._sending: asyncio.Timeout | None = None
        self._ending: Ending | None = None
        self._is_over = False

    @property
    def ending(self) -> Ending | None:
        """Why we hung up, if we did."""
        return self._ending

    def put(self, text: str) -> bool:
        """Queue it; ``False`` when too much waits already."""
        if self._is_over:
            return True
        if len(self._waiting) >= MAX_WAITING:
            return False
        self._waiting.append(text)
        self._wake.set()
        return True

    def end(self, ending: Ending | None = None) -> None:
        """Hang up at once, saying why; with nothing to say, the client is gone already."""
        if self._is_over:
            return
        self._is_over, self._ending = True, ending
        self._wake.set()
        if self._sending is not None and not self._sending.expired():
            self._sending.reschedule(asyncio.get_running_loop().time())

    async def run(self) -> None:
        """Send what is queued until the end, then hang up. To be run once, in a task."""
        try:
            await self._send_all()
        except ConnectionError:
            self.end()
        except TimeoutError:  # also how ``end`` interrupts
            self.end(TOO_SLOW)
        if self._ending is not None:
            with suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(CLOSE_WITHIN_S):
                    await self._socket.close(self._ending.code, self._ending.reason)

    async def _send_all(self) -> None:
        while not self._is_over:
            if not self._waiting:
                self._wake.clear()
                await self._wake.wait()
                continue
            try:
                async with asyncio.timeout(SEND_WITHIN_S) as self._sending:
                    await self._socket.send(self._waiting.popleft())
            finally:
                self._sending = None


@dataclass(slots=True)
class Counts:
    """Since the process began; ``dropped`` are those of ``opened`` that read too slowly."""

    opened: int = 0
    dropped: int = 0
    queued: int = 0


@dataclass(slots=True)
class Rooms:
    """Who is in which room of this process; of other processes it hears by ``deliver``."""

    counts: Counts = field(default_factory=Counts)
    _rooms_of: dict[Member, set[str]] = field(default_factory=dict)
    # Dictionaries, because they keep the order in which members came.
    _members_in: dict[str, dict[Member, None]] = field(default_factory=dict)
    _owners: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        """How many sockets are open."""
        return len(self._rooms_of)

    def connect(self, socket: Socket, owner: str) -> Member:
        member = Member(socket, owner)
        self._rooms_of[member] = set()
        self._owners[owner] += 1
        self.counts.opened += 1
        return member

    def disconnect(self, member: Member) -> set[str]:
        """Forget it, however it ended; the rooms that it was in."""
        rooms = self._rooms_of.pop(member, None)
        if rooms is None:
            return set()
        for room in rooms:
            self._take_out(member, room)
        self._owners[member.owner] -= 1
        if not self._owners[member.owner]:
            del self._owners[member.owner]
        member.end()
        self.counts.dropped += member.ending is TOO_SLOW
        return rooms

    def join(self, member: Member, room: str) -> None:
        self._rooms_of[member].add(room)
        self._members_in.setdefault(room, {})[member] = None

    def leave(self, member: Member, room: str) -> None:
        if room in self._rooms_of.get(member, ()):
            self._rooms_of[member].remove(room)
            self._take_out(member, room)

    def _take_out(self, member: Member, room: str) -> None:
        members = self._members_in[room]
        del members[member]
        if not members:
            del self._members_in[room]

    def rooms_of(self, member: Member) -> frozenset[str]:
        return frozenset(self._rooms_of.get(member, ()))

    def size(self, room: str) -> int:
        """How many sockets of this process are in the room."""
        return len(self._members_in.get(room, ()))

    def sizes_by_kind(self) -> Counter[str]:
        """How many places in rooms are taken, by what the rooms are about (``agent:7``: agent)."""
        sizes: Counter[str] = Counter()
        for room, members in self._members_in.items():
            sizes[room.partition(":")[0]] += len(members)
        return sizes

    def open_of(self, owner: str) -> int:
        """How many sockets of this process are one owner's."""
        return self._owners.get(owner, 0)

    def send(self, member: Member, message: Any) -> None:  # JSON
        self._put((member,), message)

    def broadcast(self, room: str, message: Any, sender: str | None = None) -> None:  # JSON
        """To everyone in the room but the socket with the id ``sender``."""
        members = self._members_in.get(room)
        if members:
            self._put([member for member in members if member.id != sender], message)

    def broadcast_to_all(self, message: Any) -> None:  # JSON
        self._put(list(self._rooms_of), message)

    def _put(self, members: Iterable[Member], message: Any) -> None:  # JSON
        text = json.dumps(message, separators=(",", ":"), ensure_ascii=False)
        for member in members:
            self.counts.queued += 1
            if not member.put(text):
                member.end(TOO_SLOW)

    def deliver(self, event: Event) -> None:
        """Hand on an event of any process."""
        if event.room == EVERYWHERE:
            self.broadcast_to_all({"type": event.type})
            return
        message = {"type": "event", "room": event.room, "event": event.type, "data": event.data}
        self.broadcast(event.room, message, event.origin)

    def end_all(self, ending: Ending) -> None:
        for member in list(self._rooms_of):
            member.end(ending)
