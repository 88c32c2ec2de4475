"""gunicorn in the place of a test's server, and an app for it that breaks when asked to."""

import os

import structlog
from fastapi import FastAPI

from app import main
from app.core.config import PROJECT_ROOT
from tests.launching import Launched
from tests.server import ServerProcess

log = structlog.get_logger("greenroom.test")


class GunicornProcess(ServerProcess):
    """``gunicorn -c gunicorn_conf.py``, which may be told of another app."""

    app: str | None = None

    def launch(self) -> Launched:
        given = {"PORT": str(self.port)} | self._environment
        arguments = ["-c", str(PROJECT_ROOT / "gunicorn_conf.py")]
        if self.app is not None:
            arguments.append(self.app)
        return Launched(arguments, self._folder, given, self.log, "gunicorn")


class BreakingProcess(GunicornProcess):
    """Serves an app whose ``/api/v1/break`` fails with the number of the process that answers."""

    app = "tests.forking:breaking_app()"


async def break_off() -> None:
    raise RuntimeError(f"broken in {os.getpid()}")


def breaking_app() -> FastAPI:
    """Reports an error before gunicorn forks: what sends reports is running by then."""
    made = main.app()
    made.add_api_route("/api/v1/break", break_off)
    try:
        raise RuntimeError(f"broken in {os.getpid()}")
    except RuntimeError:
        log.exception("broken before the fork")
    return made
