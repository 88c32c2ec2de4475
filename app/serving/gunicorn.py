"""gunicorn's side of it: a worker that is our web server, and its log through ours."""

import asyncio
import logging
import signal
import sys
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from uvicorn_worker import UvicornWorker

from app.core.config import Settings, get_settings
from app.serving.server import WebServer, web_config

STOP_MARGIN_S = 10  # what is left to do once the last answer has gone


def longest_stop_s(settings: Settings) -> int:
    """After which a process that still stops may be killed."""
    return int(settings.drain_s) + settings.shutdown_wait_s + STOP_MARGIN_S


class OurLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Hands on to the root logger, which ``configure_logging`` has set up."""

    def setup(self, cfg: Any) -> None:  # gunicorn's configuration
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            log.handlers = []
            log.propagate = True


class WebWorker(UvicornWorker):  # type: ignore[misc]  # so has its worker
    """A web process of gunicorn."""

    async def _serve(self) -> None:
        settings = get_settings()
        server = WebServer(
            web_config(
                self.wsgi,
                settings,
                timeout_notify=self.timeout,
                callback_notify=self.callback_notify,
                limit_max_requests=self.max_requests,
            )
        )
        # gunicorn's way to say at once, which uvicorn does not know.
        asyncio.get_running_loop().add_signal_handler(
            signal.SIGQUIT, server.handle_exit, signal.SIGINT, None
        )
        # Without gunicorn's wrapping, or they would be closed twice.
        await server.serve(sockets=[listener.sock for listener in self.sockets])
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)

    def init_signals(self) -> None:
        super().init_signals()
        # The base class has pointed uvicorn's log at handlers that are none.
        logging.getLogger("uvicorn.error").propagate = True
