"""uvicorn's WebSocket protocol, made to end connections of clients that do not read or answer."""

import logging
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from app.core.rooms import CLOSE_WITHIN_S
from app.serving.refusals import Refusal

UNREADABLE = Refusal(431, "A header of a handshake may have 8190 bytes.")
REFUSED = "websocket.http.response.body"


class SocketProtocol(WebSocketsSansIOProtocol):
    """Closing does not wait for what the client has not read: soon after, the connection goes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # as uvicorn makes them
        super().__init__(*args, **kwargs)
        # It would log addresses with what clients wrongly put into them; we log each end.
        self.logger = logging.getLogger("greenroom.uvicorn.sockets")
        self.logger.setLevel(logging.WARNING)
        self.conn.logger = self.logger

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self.handshake_initiated:
            # It comes in one piece; what the library cannot read, uvicorn would leave unanswered.
            self.transport.write(UNREADABLE.as_bytes())
            self.transport.close()

    async def send(self, message: Any) -> None:  # an ASGI message
        if message["type"] == "websocket.close" and self.handshake_complete:
            self.writable.set()
            self._give_up_soon()
        await super().send(message)
        if message["type"] == REFUSED and not message.get("more_body", False):
            # uvicorn forgets to note it, and would log that the handshake was left open.
            self.handshake_complete = True

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._give_up_soon()

    def shutdown(self) -> None:
        super().shutdown()
        self._give_up_soon()

    def handle_parser_exception(self) -> None:
        super().handle_parser_exception()
        self._give_up_soon()

    def _give_up_soon(self) -> None:
        self.loop.call_later(CLOSE_WITHIN_S, self.transport.abort)
