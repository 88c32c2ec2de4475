"""A client of the socket, as scripts and browsers open one, over a real connection."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

PATIENCE_S = 15
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer to a handshake that opens nothing."""

    status: int
    body: Json
    headers: Mapping[str, str]

    @property
    def code(self) -> str:
        code: str = self.body["error"]["code"]
        return code


@dataclass(frozen=True, slots=True)
class Client:
    """One open socket."""

    connection: ClientConnection

    async def say(self, **message: Any) -> None:  # JSON
        await self.connection.send(json.dumps(message))

    async def hear(self) -> Json:
        """The next message, whatever it is."""
        async with asyncio.timeout(PATIENCE_S):
            heard: Json = json.loads(await self.connection.recv())
        return heard

    async def hear_event(self, room: str) -> Json:
        """The next event of this room; what else comes meanwhile is passed over."""
        while True:
            heard = await self.hear()
            if heard["type"] == "event" and heard["room"] == room:
                return heard

    async def join(self, room: str) -> Json:
        """The answer, once everything before it was heard."""
        await self.say(type="join", room=room)
        while True:
            heard = await self.hear()
            if heard["type"] in ("joined", "error") and heard["room"] == room:
                return heard

    async def rest(self) -> list[Json]:
        """Everything that was sent before an answer to this."""
        await self.say(type="ping")
        heard = []
        while (message := await self.hear())["type"] != "pong":
            heard.append(message)
        return heard

    async def closing(self) -> tuple[int | None, str]:
        """The code and reason with which the server hangs up."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    await self.connection.recv()
        except ConnectionClosed as error:
            return (None, "") if error.rcvd is None else (error.rcvd.code, error.rcvd.reason)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.connection.close()


async def dial(url: str, room: str, headers: Mapping[str, str], **options: Any) -> Client | Refusal:
    """Open a socket at the server of this address. ``options`` are those of websockets."""
    address = f"{url.replace('http', 'ws', 1)}/api/v1/ws/{room}"
    options = {"proxy": None, "compression": None, "open_timeout": PATIENCE_S} | options
    try:
        connection = await connect(address, additional_headers=headers, **options)
    except InvalidStatus as error:
        response = error.response
        body = json.loads(response.body or b"{}")
        return Refusal(response.status_code, body, dict(response.headers.raw_items()))
    return Client(connection)


@asynccontextmanager
async def in_room(
    url: str, room: str, headers: Mapping[str, str], **options: Any
) -> AsyncIterator[Client]:
    """A socket that was let in, and has been told so."""
    client = await dial(url, room, headers, **options)
    assert isinstance(client, Client), client
    async with client:
        assert await client.hear() == {"type": "joined", "room": room}
        yield client
