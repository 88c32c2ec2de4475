"""``gunicorn -c gunicorn_conf.py``: several web processes over one PostgreSQL of your own.

Everything is set by the product's settings (see .env.example); the background work is done by
``python -m app worker``, migrations by ``python -m app migrate``.
"""

from pathlib import Path

from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker
from pydantic import ValidationError

from app.core import shared_metrics
from app.core.config import get_settings, words_of
from app.core.logging import configure_logging
from app.serving.gunicorn import OurLogger, WebWorker, longest_stop_s

get_settings.cache_clear()  # told to reload (HUP), gunicorn reads this file again
try:
    settings = get_settings()
except ValidationError as refused:
    raise SystemExit(words_of(refused)) from None
if settings.database_url is None:
    raise SystemExit("Set DATABASE_URL: the embedded PostgreSQL is for python -m app run.")
configure_logging(settings)

wsgi_app = "app.main:app()"
host = f"[{settings.host}]" if ":" in settings.host else settings.host
bind = f"{host}:{settings.port}"
workers = settings.web_concurrency
worker_class = WebWorker
# The app is made before anyone is let in: a worker is then ready a moment after its fork.
preload_app = True
max_requests = settings.web_max_requests
max_requests_jitter = settings.web_max_requests // 10
graceful_timeout = longest_stop_s(settings)
# A worker gives a sign of life twice in this time, and none any more while it stops.
timeout = 2 * (graceful_timeout + 10)
logger_class = OurLogger
accesslog = None  # our own middleware writes a line per request
control_socket_disable = True
proc_name = "greenroom"
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  (signs of life)


def on_starting(_: object) -> None:
    if settings.prometheus_multiproc_dir is not None:
        shared_metrics.empty(settings.prometheus_multiproc_dir)


def pre_fork(arbiter: Arbiter, _: object) -> None:
    arbiter.app.wsgi().state.observers.before_fork()


def child_exit(_: object, worker: Worker) -> None:
    if settings.prometheus_multiproc_dir is not None:
        shared_metrics.forget(settings.prometheus_multiproc_dir, worker.pid)
