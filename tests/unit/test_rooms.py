"""Rooms of one process: who hears what, and that nobody waits for anybody."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from app.core import rooms as rooms_module
from app.core.events import RESYNC, Event
from app.core.rooms import MAX_WAITING, RESTARTING, TOO_SLOW, Ending, Member, Rooms


class Wire:
    """A socket whose client reads while ``reads`` is set, until it is gone."""

    def __init__(self) -> None:
        self.sent: list[Any] = []  # JSON
        self.closed: tuple[int, str] | None = None
        self.reads = asyncio.Event()
        self.reads.set()
        self.is_gone = False

    async def send(self, text: str) -> None:
        await self.reads.wait()
        if self.is_gone:
            raise ConnectionError
        self.sent.append(json.loads(text))

    async def close(self, code: int, reason: str) -> None:
        if self.is_gone:
            raise ConnectionError
        self.closed = (code, reason)


class Here:
    """One member that is being served, as the endpoint does it."""

    def __init__(self, rooms: Rooms, owner: str) -> None:
        self.wire = Wire()
        self.rooms = rooms
        self.member: Member = rooms.connect(self.wire, owner)
        self.serving = asyncio.create_task(self._serve())

    async def _serve(self) -> None:
        try:
            await self.member.run()
        finally:
            self.rooms.disconnect(self.member)


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@asynccontextmanager
async def members(rooms: Rooms, count: int, room: str = "agents") -> AsyncIterator[list[Here]]:
    there = [Here(rooms, f"user:{number}") for number in range(count)]
    for here in there:
        rooms.join(here.member, room)
    yield there
    for here in there:
        here.member.end()
    await asyncio.wait([here.serving for here in there])


async def test_room_hears_all_but_the_sender_and_other_rooms_nothing() -> None:
    rooms = Rooms()
    async with members(rooms, 3) as (one, two, three):
        rooms.leave(three.member, "agents")
        rooms.join(three.member, "tools")
        rooms.broadcast("agents", {"n": 1}, one.member.id)
        rooms.broadcast("agents", {"n": 2})
        rooms.send(three.member, {"n": 3})
        rooms.broadcast_to_all({"n": 4})
        await settled()
        heard = [[message["n"] for message in here.wire.sent] for here in (one, two, three)]
    assert heard == [[2, 4], [1, 2, 4], [3, 4]]


async def test_events_are_told_by_room_and_a_gap_to_everyone() -> None:
    rooms = Rooms()
    async with members(rooms, 2) as (one, two):
        rooms.leave(two.member, "agents")
        rooms.deliver(Event("agents", "update", {"id": 7}))
        rooms.deliver(Event("agents", "update", {"id": 8}, one.member.id))
        rooms.deliver(RESYNC)
        await settled()
        told = {"type": "event", "room": "agents", "event": "update", "data": {"id": 7}}
        assert one.wire.sent == [told, {"type": "resync"}]
        assert two.wire.sent == [{"type": "resync"}]


async def test_joining_and_leaving_twice_is_once() -> None:
    rooms = Rooms()
    async with members(rooms, 1) as (one,):
        rooms.join(one.member, "agents")
        rooms.broadcast("agents", {})
        await settled()
        assert len(one.wire.sent) == 1
        rooms.leave(one.member, "agents")
        rooms.leave(one.member, "agents")
        assert (rooms.size("agents"), rooms.rooms_of(one.member)) == (0, frozenset())


@pytest.mark.parametrize("how", ["gone", "ended", "cancelled"])
async def test_nothing_is_left_of_a_member_however_it_ended(how: str) -> None:
    rooms = Rooms()
    here = Here(rooms, "key:1")
    rooms.join(here.member, "agents")
    rooms.join(here.member, "tools")
    await settled()
    assert (len(rooms), rooms.size("agents"), rooms.open_of("key:1")) == (1, 1, 1)
    if how == "gone":
        here.wire.is_gone = True
        rooms.broadcast("agents", {})
    elif how == "ended":
        here.member.end(Ending(4401, "over"))
    else:
        here.serving.cancel()
    await asyncio.wait([here.serving])
    assert (len(rooms), rooms.size("agents"), rooms.size("tools")) == (0, 0, 0)
    assert rooms.open_of("key:1") == 0
    assert rooms.disconnect(here.member) == set()
    assert here.wire.closed == ((4401, "over") if how == "ended" else None)
    rooms.send(here.member, {})  # to no one, and no error


async def test_reader_that_is_too_slow_is_dropped_while_others_hear_all() -> None:
    rooms = Rooms()
    async with members(rooms, 3) as (slow, *others):
        slow.wire.reads.clear()
        for number in range(MAX_WAITING + 2):
            rooms.broadcast("agents", number)
            await asyncio.sleep(0)
        await settled()
        assert slow.serving.done()
        assert slow.wire.closed == (TOO_SLOW.code, TOO_SLOW.reason)
        for here in others:
            assert here.wire.sent == list(range(MAX_WAITING + 2))
        assert (rooms.counts.opened, rooms.counts.dropped, len(rooms)) == (3, 1, 2)


async def test_message_that_is_not_taken_in_time_drops_the_reader(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rooms_module, "SEND_WITHIN_S", 0.01)
    rooms = Rooms()
    async with members(rooms, 1) as (slow,):
        slow.wire.reads.clear()
        rooms.broadcast("agents", 1)
        await asyncio.wait([slow.serving])
        assert slow.wire.closed == (TOO_SLOW.code, TOO_SLOW.reason)


async def test_everyone_is_told_when_the_server_restarts() -> None:
    rooms = Rooms()
    async with members(rooms, 3) as there:
        rooms.end_all(RESTARTING)
        await asyncio.wait([here.serving for here in there])
        assert {here.wire.closed for here in there} == {(1012, RESTARTING.reason)}
    assert len(rooms) == 0
