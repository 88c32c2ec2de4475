"""The socket of live events. What one may hear in which room is up to ``RoomService``."""

from fastapi import APIRouter, WebSocket

from app.api.sockets import serve

router = APIRouter()


@router.websocket("/ws/{room_id}")
async def open_socket(socket: WebSocket, room_id: str) -> None:
    """Events of the room, and of those that are joined later, until one of us hangs up."""
    await serve(socket, room_id)
