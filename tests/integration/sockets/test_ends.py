"""Sockets end with what opened them, with their client, and with the server; nothing is left."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select, text, update

from app.core.events import Event
from app.core.permissions import Role
from app.models import ApiKey, InstanceSettings, Presence, RefreshToken, StaffSession, User
from app.services.live_events import EventSender
from tests.integration.sockets.conftest import Headers, Site
from tests.server import ServerProcess
from tests.sockets import Client, dial, in_room

OVER = 4401
UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
)
End = Callable[[Site, User], Awaitable[None]]


async def change(site: Site, statement: object) -> None:
    async with site.database.unit_of_work() as session:
        await session.execute(statement)  # type: ignore[call-overload]  # any statement


async def revoke_keys(site: Site, user: User) -> None:
    await change(
        site, update(ApiKey).where(ApiKey.user_id == user.id).values(revoked_at=func.now())
    )


async def narrow_keys(site: Site, user: User) -> None:
    ranges = update(ApiKey).where(ApiKey.user_id == user.id).values(allowed_cidrs=["10.0.0.0/8"])
    await change(site, ranges)


async def expire_keys(site: Site, user: User) -> None:
    await change(
        site, update(ApiKey).where(ApiKey.user_id == user.id).values(expires_at=func.now())
    )


async def end_sessions(site: Site, user: User) -> None:
    own = update(StaffSession).where(StaffSession.user_id == user.id)
    await change(site, own.values(revoked_at=func.now()))


async def let_sessions_idle(site: Site, user: User) -> None:
    long_ago = func.now() - text("interval '61 minutes'")
    own = update(StaffSession).where(StaffSession.user_id == user.id)
    await change(site, own.values(last_seen_at=long_ago))


async def log_out_tokens(site: Site, user: User) -> None:
    own = update(RefreshToken).where(RefreshToken.user_id == user.id)
    await change(site, own.values(revoked_at=func.now()))


async def disable(site: Site, user: User) -> None:
    await change(site, update(User).where(User.id == user.id).values(is_active=False))


async def demote(site: Site, user: User) -> None:
    await change(site, update(User).where(User.id == user.id).values(role=Role.MEMBER))


@pytest.mark.parametrize(
    ("credential", "end"),
    [
        ("key", revoke_keys),
        ("key", narrow_keys),
        ("key", expire_keys),
        ("key", disable),
        ("key", demote),
        ("cookie", end_sessions),
        ("cookie", let_sessions_idle),
        ("cookie", disable),
        ("cookie", demote),
        ("token", log_out_tokens),
        ("token", disable),
        ("token", demote),
    ],
)
async def test_socket_ends_with_what_opened_it(site: Site, credential: str, end: End) -> None:
    user, other = await site.person(), await site.person()
    headers: Headers = await getattr(site, credential)(user)
    async with (
        in_room(site.one, "agents", headers) as client,
        in_room(site.one, "agents", await site.key(other)) as unconcerned,
    ):
        await end(site, user)
        code, reason = await client.closing()
        assert code == OVER
        assert reason
        assert await unconcerned.rest() == []


async def test_socket_ends_when_a_second_factor_becomes_required(site: Site) -> None:
    user = await site.person()
    async with (
        in_room(site.one, "agents", await site.cookie(user)) as client,
        in_room(site.one, "agents", await site.key(user)) as machine,
    ):
        try:
            await change(site, update(InstanceSettings).values(require_second_factor=True))
            code, _ = await client.closing()
            assert code == OVER
            assert await machine.rest() == []
        finally:
            await change(site, update(InstanceSettings).values(require_second_factor=False))


async def test_access_token_carries_a_socket_no_longer_than_it_lives(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await site.person()
    # Issued ten minutes ago, all but some seconds.
    long_ago = int(time.time()) - 600 + 2
    monkeypatch.setattr("app.core.access_tokens.time.time", lambda: long_ago)
    headers = await site.token(user)
    monkeypatch.undo()
    async with in_room(site.one, "agents", headers) as client:
        code, _ = await client.closing()
        assert code == OVER


async def test_client_that_vanishes_is_forgotten(site: Site) -> None:
    ada = await site.person()
    agent = await site.agent_of(ada)
    room = f"presence:agent:{agent.id}"
    client = await dial(site.one, room, await site.cookie(ada))
    assert isinstance(client, Client)
    async with in_room(site.two, room, await site.token(await site.person())) as watcher:
        await until(site, room, 2)
        # No close frame, no FIN: the connection is reset, as by a crash or a router.
        raw = client.connection.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        client.connection.transport.abort()
        await until(site, room, 1)
        assert (await watcher.hear_event(room))["event"] == "presence"


async def until(site: Site, room: str, count: int) -> None:
    statement = select(func.count()).where(Presence.room == room)
    async with asyncio.timeout(15):
        while True:
            async with site.database.unit_of_work() as session:
                if await session.scalar(statement) == count:
                    return
            await asyncio.sleep(0.05)


@pytest.fixture
async def server(site: Site, tmp_path: Path) -> ServerProcess:
    """A third process of the installation, to be stopped."""
    url = site.database.engine.url.render_as_string(hide_password=False)
    server = ServerProcess(url, tmp_path)
    await asyncio.to_thread(server.start)
    return server


async def test_server_that_stops_says_that_it_comes_back(site: Site, server: ServerProcess) -> None:
    ada = await site.person()
    room = f"presence:agent:{(await site.agent_of(ada)).id}"
    async with in_room(server.url, room, await site.cookie(ada, server.url)) as client:
        await until(site, room, 1)
        stopping = asyncio.create_task(asyncio.to_thread(server.stop))
        code, _ = await client.closing()
        assert code == 1012
        await stopping
    await until(site, room, 0)
    assert "Traceback" not in server.log.read_text()


@asynccontextmanager
async def lazy_reader(url: str, room: str, headers: Headers) -> AsyncIterator[None]:
    """A socket in the room that never reads, with little place for what it is sent."""
    host = url.removeprefix("http://")
    lines = [f"GET /api/v1/ws/{room} HTTP/1.1", f"Host: {host}", *UPGRADE]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", int(host.rpartition(":")[2])))
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        yield


async def test_reader_that_does_not_read_is_dropped_and_delays_no_one(site: Site) -> None:
    ada, bob = await site.person(), await site.person()
    room = f"presence:agent:{(await site.agent_of(ada)).id}"
    sender = EventSender(site.database)
    async with (
        lazy_reader(site.one, room, await site.cookie(ada)),
        in_room(site.one, room, await site.cookie(bob)) as reader,
    ):
        await until(site, room, 2)
        heard = 0
        for batch in range(20):
            numbers = range(batch * 50, batch * 50 + 50)
            sender.send([Event(room, "noise", {"n": n, "x": "x" * 15_000}) for n in numbers])
            await sender.flush()
            while heard < numbers.stop:
                event = await reader.hear_event(room)
                if event["event"] == "noise":
                    assert event["data"]["n"] == heard
                    heard += 1
        await until(site, room, 1)
        assert all(message["event"] == "presence" for message in await reader.rest())
