"""One WebSocket from its handshake to its end. It holds no connection to the database meanwhile."""

import asyncio
import time
from collections.abc import Awaitable
from contextlib import suppress
from secrets import token_hex
from typing import Any

import structlog
from fastapi import WebSocket
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException
from starlette.websockets import WebSocketDisconnect, WebSocketDisconnected

from app.api import limits
from app.api.deps import client_ip, presented_key, presented_token, recognise, session_token
from app.api.errors import to_app_error
from app.api.strict_json import parse
from app.core.access_tokens import AccessTokens
from app.core.actor import Actor
from app.core.database import Database
from app.core.events import Event
from app.core.rate_limits import RouteClass
from app.core.rooms import Ending, Member, Rooms
from app.core.security import sha256
from app.exceptions import AppError, Conflict, Forbidden, TooManyRequests, Unauthorized
from app.schemas.rooms import CLIENT_MESSAGE, ClientMessage, Join, Leave, Ping, Say
from app.services.live_credentials import Credential, CredentialWatch, Kind
from app.services.presences import PresenceKeeper
from app.services.rooms import Room, RoomService

MAX_MESSAGE_BYTES = 16 * 1024
MAX_ROOMS = 30
MAX_OPEN = 100
BURST, PER_SECOND = 40, 10.0
TOO_MANY = Ending(1008, f"You may send {PER_SECOND:g} messages a second, {BURST} at once.")
TOO_LARGE = Ending(1009, f"A message may have {MAX_MESSAGE_BYTES} bytes.")
NOT_TEXT = Ending(1003, "Messages are JSON in text frames.")
BROKEN = Ending(1011, "Something went wrong on our side.")
log = structlog.get_logger("greenroom.sockets")


class StarletteSocket:
    """Starlette's socket as rooms know one."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def send(self, text: str) -> None:
        await self._or_gone(self._socket.send_text(text))

    async def close(self, code: int, reason: str) -> None:
        await self._or_gone(self._socket.close(code, reason))

    @staticmethod
    async def _or_gone(done: Awaitable[None]) -> None:
        try:
            await done
        except (WebSocketDisconnect, WebSocketDisconnected, RuntimeError) as error:
            raise ConnectionError from error


class Allowance:
    """So many messages at once, and so many a second in the long run."""

    def __init__(self, burst: int, per_second: float) -> None:
        self._burst = self._left = float(burst)
        self._per_second = per_second
        self._at = time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


async def authenticate(socket: WebSocket, session: AsyncSession) -> tuple[Actor, Credential]:
    """Who opens the socket, and by what. Raises ``Unauthorized`` and ``TooManyRequests``.

    The same three ways as any request of the API, all of them headers; that a cookie comes from
    our own pages is checked by ``SameOriginMiddleware``.
    """
    key = socket.headers.get("x-api-key")
    actor = await recognise(socket, session, key)
    socket.state.actor = actor  # refusals are on record under it
    await limits.count(socket, actor)
    given_key, token = presented_key(socket, key), presented_token(socket)
    if given_key is not None:
        return actor, Credential(Kind.KEY, sha256(given_key), client_ip(socket))
    settings = socket.app.state.settings
    if token is not None:
        claims = AccessTokens(settings).read(token)
        if claims is None:
            raise Unauthorized("This access token is not valid, or no longer is.")
        return actor, Credential(Kind.FAMILY, claims.family_id.bytes, None, claims.expires_at)
    return actor, Credential(Kind.SESSION, sha256(session_token(socket, settings) or ""))


async def serve(socket: WebSocket, room_name: str) -> None:
    """Raises whatever refuses the handshake; what happens later is said over the socket."""
    database: Database = socket.app.state.database
    async with database.looking() as session:
        actor, credential = await authenticate(socket, session)
        room = await RoomService(session, actor).enter(room_name)
    rooms: Rooms = socket.app.state.rooms
    owner = limits.name_of(actor)
    if rooms.open_of(owner) >= MAX_OPEN:
        message = f"You have {MAX_OPEN} open sockets already. Close some."
        raise TooManyRequests(message, retry_after_s=10)
    member = rooms.connect(StarletteSocket(socket), owner)
    watch: CredentialWatch = socket.app.state.credential_watch
    try:
        await socket.accept()
        watch.add(member, credential, actor)
        await Conversation(socket, member, actor, room).run()
    except (WebSocketDisconnect, WebSocketDisconnected):
        pass  # gone before it was there
    finally:
        watch.remove(member)
        if member.ending is not None:
            log.info("socket ended", code=member.ending.code, reason=member.ending.reason)
        socket.app.state.presence.leave(member.id, rooms.disconnect(member))


class Conversation:
    """What a client says over its socket, and what it is answered."""

    def __init__(self, socket: WebSocket, member: Member, actor: Actor, first: Room) -> None:
        self._socket = socket
        self._member = member
        self._actor = actor
        self._first = first
        self._rooms: Rooms = socket.app.state.rooms
        self._presence: PresenceKeeper = socket.app.state.presence
        self._joined: dict[str, Room] = {}
        self._allowance = Allowance(BURST, PER_SECOND)

    async def run(self) -> None:
        self._take_in(self._first)
        listening = asyncio.create_task(self._listen())
        try:
            await self._member.run()
        finally:
            listening.cancel()
            await asyncio.wait([listening])

    async def _listen(self) -> None:
        """Until the client is gone, or we have a reason to hang up."""
        try:
            while (text := await self._receive()) is not None:
                await self._hear(text)
        except Exception:
            log.exception("a socket broke")
            self._member.end(BROKEN)

    async def _receive(self) -> str | None:
        """The next message that is within the limits; ``None`` at the end."""
        with suppress(WebSocketDisconnected):
            message = await self._socket.receive()
            if message["type"] == "websocket.receive":
                text: str | None = message.get("text")
                ending = self._refusal(text)
                if ending is None:
                    return text
                self._member.end(ending)
                return None
        self._member.end()
        return None

    def _refusal(self, text: str | None) -> Ending | None:
        if text is None:
            return NOT_TEXT
        if len(text) > MAX_MESSAGE_BYTES or len(text.encode()) > MAX_MESSAGE_BYTES:
            return TOO_LARGE
        return None if self._allowance.take() else TOO_MANY

    async def _hear(self, text: str) -> None:
        room = None
        try:
            message = CLIENT_MESSAGE.validate_python(parse(text.encode()))
            room = getattr(message, "room", None)
            await self._act(message)
        except (AppError, HTTPException, ValidationError, SQLAlchemyError) as error:
            await self._answer_error(to_app_error(error), room)

    async def _answer_error(self, error: AppError, room: str | None) -> None:
        await self._socket.app.state.denials.record(self._socket, error)
        said = {"code": error.code, "message": error.message, "details": error.details}
        self._say_back({"type": "error", "room": room} | said)

    async def _act(self, message: ClientMessage) -> None:
        match message:
            case Ping():
                self._say_back({"type": "pong"})
            case Join():
                await self._join(message.room)
            case Leave():
                self._leave(message.room)
            case Say():
                await self._say(message)

    async def _join(self, name: str) -> None:
        await limits.count(self._socket, self._actor)
        if name not in self._joined and len(self._joined) >= MAX_ROOMS:
            raise Conflict(f"A socket may be in {MAX_ROOMS} rooms. Leave some, or open another.")
        database: Database = self._socket.app.state.database
        async with database.looking() as session:
            room = await RoomService(session, self._actor).enter(name)
        self._take_in(room)

    def _take_in(self, room: Room) -> None:
        self._joined[room.name] = room
        self._rooms.join(self._member, room.name)
        if room.shows_presence and self._actor.user_id is not None:
            self._presence.enter(self._member.id, room.name, self._actor.user_id)
        self._say_back({"type": "joined", "room": room.name})

    def _leave(self, name: str) -> None:
        if self._joined.pop(name, None) is not None:
            self._rooms.leave(self._member, name)
            self._presence.leave(self._member.id, [name])
        self._say_back({"type": "left", "room": name})

    async def _say(self, message: Say) -> None:
        name = message.room or self._first.name
        room = self._joined.get(name)
        if room is None:
            raise Conflict("Join the room first.")
        if room.speaking is None:
            raise Forbidden("In this room only the server speaks.")
        self._actor.require(room.speaking)
        await limits.count(self._socket, self._actor, RouteClass.WRITE)
        said = {"from": limits.name_of(self._actor), "data": message.data}
        event = Event(name, "message", said | {"id": token_hex(8)}, self._member.id)
        # To this process, too, it comes from the database: everyone hears all in one order.
        self._socket.app.state.database.outbox([event])

    def _say_back(self, answer: Any) -> None:  # JSON
        self._rooms.send(self._member, answer)
