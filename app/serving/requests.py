"""uvicorn's HTTP protocol with what it has no options for: deadlines, limits and a graceful end.

A connection has so long to send the head of a request, counted from its first byte, and then to
send the body, with more time for a larger one; who reads too slowly is hung up on, too.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.serving.config import WebConfig
from app.serving.refusals import MAX_HEAD_BYTES, TOO_LARGE, Refusal, check_head

BODY_BYTES_PER_S = 4 * 1024
READ_WITHIN_S = 60.0  # until a client has read some of what waits for it
LINGER_S = 2.0
LAST_REQUEST_WITHIN_S = 1.0
GARBLED = Refusal(400, "This is not a request in HTTP/1.1.")
LATE_HEAD = Refusal(408, "The headers of the request did not come in time.")
LATE_BODY = Refusal(408, "The body of the request did not come in time.")
TOO_MANY = Refusal(503, "There are too many connections. Try again in a moment.")
LEAVING = Refusal(503, "The server restarts: connect again.")
log = structlog.get_logger("greenroom.connections")


class RequestProtocol(HttpToolsProtocol):
    """One connection from its first byte to its last."""

    config: WebConfig

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # as uvicorn makes them
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._reading: asyncio.TimerHandle | None = None
        self._is_refused = False
        self._in_head = self._in_body = False
        self._head_bytes = self._body_bytes = 0
        self._body_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]  # as uvicorn declares it
        self._await_head()
        if len(self.connections) > self.config.max_connections:
            self.transport.write(TOO_MANY.as_bytes())
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._relax()
        self._has_read()
        super().connection_lost(exc)

    # What comes in

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return  # read on for a while, so that the client reads why
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
            self._look_at_head(len(data))
        except httptools.HttpParserUpgrade:
            self._change_protocol()
        except Refusal as refusal:
            self._refuse(refusal)
        except httptools.HttpParserError as error:
            reason = error.__context__
            self._refuse(reason if isinstance(reason, Refusal) else GARBLED)

    def _look_at_head(self, size: int) -> None:
        """What is neither a whole request nor part of a body is a head that is not whole."""
        if self._in_head:
            self._head_bytes += size
            if self._head_bytes > MAX_HEAD_BYTES:
                raise Refusal(431, TOO_LARGE)
        if self._in_head or not (self._in_body or self._is_busy):
            self._await_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        # Those after the body would be taken for headers of the request that is under way.
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        method = self.parser.get_method().decode("ascii")
        check_head(method, self.parser.get_http_version(), self.url, self.headers)
        if self.parser.should_upgrade() and self._is_busy:
            raise Refusal(400, "Wait for the answer before you change the protocol.")
        super().on_headers_complete()
        self._in_head, self._in_body = False, True
        is_last = self.parser.should_upgrade() or self.config.is_draining
        if is_last and self.cycle is not None:
            self.cycle.keep_alive = False
        self._body_since, self._body_bytes = self.loop.time(), 0
        self._expect(self.config.body_within_s, self._look_at_body)

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body = False
        self._relax()
        super().on_message_complete()

    def _change_protocol(self) -> None:
        self._in_body = False
        self._relax()
        if not self._should_upgrade():
            return  # answered as if it had not asked
        if self.config.is_draining:
            self._refuse(LEAVING)
            return
        self.handle_websocket_upgrade()

    # Deadlines

    @property
    def _is_busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _await_head(self) -> None:
        if self._deadline is None:
            self._expect(self.config.head_within_s, self._head_is_late)

    def _expect(self, seconds: float, otherwise: Callable[[], None]) -> None:
        self._relax()
        self._deadline = self.loop.call_later(seconds, otherwise)

    def _relax(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _head_is_late(self) -> None:
        if self._in_head:
            self._refuse(LATE_HEAD)
            return
        self._hang_up()  # it never began: there is nothing to answer

    def _look_at_body(self) -> None:
        """Time that passed while we did not read is not the client's."""
        now = self.loop.time()
        if self.flow.read_paused:
            self._body_since, self._body_bytes = now, 0
        due = self._body_since + self.config.body_within_s + self._body_bytes / BODY_BYTES_PER_S
        if now >= due:
            self._refuse(LATE_BODY)
            return
        self._expect(due - now, self._look_at_body)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reader()

    def _await_reader(self) -> None:
        if self._reading is None:
            self._reading = self.loop.call_later(READ_WITHIN_S, self.transport.abort)

    def resume_writing(self) -> None:
        self._has_read()
        super().resume_writing()

    def _has_read(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def timeout_keep_alive_handler(self) -> None:
        self._hang_up()

    # The end

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._await_reader()

    def _hang_up(self) -> None:
        self.transport.close()
        self._expect(LINGER_S, self.transport.abort)  # unless the rest was read by then

    def _refuse(self, refusal: Refusal) -> None:
        """Answer and hang up; where another answer is under way, only hang up."""
        log.info("refused", status=refusal.status, reason=refusal.text, peer=self.client)
        self._is_refused = True
        if self._is_answering:
            self._hang_up()
            return
        if self._is_busy:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.flow.resume_reading()
        self.transport.write(refusal.as_bytes())
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._expect(LINGER_S, self.transport.abort)

    @property
    def _is_answering(self) -> bool:
        """Whether a refusal would be read as part of another answer, or as a second one."""
        if not self._is_busy:
            return self._in_body
        return self.cycle.response_started or self._in_head or bool(self.pipeline)

    def shutdown(self) -> None:
        """Idle connections go; one that was opened a moment ago may still send its request."""
        is_new = self._in_head or self.cycle is None
        if is_new and not self._is_busy and not self._is_refused:
            self._expect(LAST_REQUEST_WITHIN_S, self._head_is_late)
            return
        super().shutdown()
