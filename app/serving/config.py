"""uvicorn's configuration as the product wants it, from its settings."""

from typing import Any

from uvicorn import Config

from app.api.sockets import MAX_MESSAGE_BYTES
from app.core.config import Settings
from app.core.stopping import Stopping

PING_EVERY_S, PONG_WITHIN_S = 20.0, 20.0


class WebConfig(Config):
    """``is_draining`` is set for the time in which connections are taken for one request only."""

    is_draining = False

    def __init__(self, app: Any, settings: Settings, **options: Any) -> None:  # uvicorn's own
        self.head_within_s = settings.request_head_timeout_s
        self.body_within_s = settings.request_body_timeout_s
        self.max_connections = settings.max_connections
        self.drain_s = settings.drain_s
        super().__init__(
            app,
            log_config=None,
            access_log=False,  # our own middleware writes a line per request
            server_header=False,
            proxy_headers=False,  # ClientAddressMiddleware knows whom to believe
            timeout_keep_alive=settings.keep_alive_s,
            timeout_graceful_shutdown=settings.shutdown_wait_s,
            ws_max_size=MAX_MESSAGE_BYTES,
            ws_ping_interval=PING_EVERY_S,
            ws_ping_timeout=PONG_WITHIN_S,
            # Messages are short, and compressing would cost every socket tens of kilobytes.
            ws_per_message_deflate=False,
            **options,
        )

    @property
    def stopping(self) -> Stopping:
        """The product's; another app would have none."""
        return getattr(getattr(self.app, "state", None), "stopping", None) or Stopping()
