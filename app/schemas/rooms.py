"""What clients say over a socket: one JSON object a message, told apart by its ``type``."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, TypeAdapter

from app.schemas.base import Input, Json

RoomName = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Join(Input):
    """Hear a further room."""

    type: Literal["join"]
    room: RoomName


class Leave(Input):
    """Hear it no more."""

    type: Literal["leave"]
    room: RoomName


class Say(Input):
    """To the others in a room that one is in, by default that of the socket's address."""

    type: Literal["message"]
    room: RoomName | None = None
    data: Json = None


class Ping(Input):
    """Answered at once: for clients that cannot see the ping frames of the protocol."""

    type: Literal["ping"]


ClientMessage = Join | Leave | Say | Ping
CLIENT_MESSAGE: TypeAdapter[ClientMessage] = TypeAdapter(
    Annotated[ClientMessage, Field(discriminator="type")]
)
