"""gunicorn makes the app once and forks: each process sends its own errors and spans."""

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from app.core.embedded_postgres import EmbeddedPostgres
from tests.forking import BreakingProcess
from tests.otlp.collector import Collector, attributes_of, collecting
from tests.sentry import SentryServer, sentry

WITHIN_S = 60
BREAK = "GET /api/v1/break"


def reported(errors: SentryServer) -> set[int]:
    """The processes whose errors have arrived."""
    texts = [value["value"] for each in errors.items("event") for value in values_of(each)]
    return {int(number) for text in texts for number in re.findall(r"broken in (\d+)", text)}


def values_of(event: dict[str, object]) -> list[dict[str, str]]:
    found = event["exception"]
    assert isinstance(found, dict)
    values: list[dict[str, str]] = found["values"]
    return values


def traced(collector: Collector) -> set[int]:
    """The processes whose spans of the request have arrived."""
    return {
        int(attributes_of(sent.resource.attributes)["service.instance.id"].rpartition(":")[2])
        for request in collector.requests
        for sent in request.resource_spans
        if any(span.name == BREAK for scope in sent.scope_spans for span in scope.spans)
    }


def break_off(server: BreakingProcess) -> None:
    answer = httpx2.get(f"{server.url}/api/v1/break", timeout=20, trust_env=False)
    assert answer.status_code == 500


def ask_until(
    server: BreakingProcess, errors: SentryServer, collector: Collector, web: int
) -> None:
    """Break one process or the other, until so many have told it in both ways."""
    give_up_at = time.monotonic() + WITHIN_S
    while time.monotonic() < give_up_at:
        if len(reported(errors) & traced(collector)) >= web:
            return
        break_off(server)
        time.sleep(0.05)
    raise AssertionError((reported(errors), traced(collector), server.last_words()))


@contextmanager
def watched(url: str, folder: Path) -> Iterator[tuple[BreakingProcess, SentryServer, Collector]]:
    with sentry() as errors, collecting() as collector:
        environment = {"SENTRY_DSN": errors.dsn, "OTLP_ENDPOINT": collector.url}
        with BreakingProcess(url, folder, WEB_CONCURRENCY="2", **environment) as server:
            yield server, errors, collector


async def test_errors_and_spans_leave_from_every_process_that_was_forked(
    postgres: EmbeddedPostgres, shared_database: str, tmp_path: Path
) -> None:
    with watched(postgres.url(shared_database), tmp_path) as (server, errors, collector):
        ask_until(server, errors, collector, web=2)
        parent = server.pid
        first = reported(errors) & traced(collector)
        assert parent in reported(errors), "it reported before it forked"
        assert parent not in first
        # One is lost, and the parent forks another in its place.
        os.kill(min(first), signal.SIGKILL)
        ask_until(server, errors, collector, web=3)
        before = len(collector.spans)
        break_off(server)
        server.stop()
        assert len(collector.spans) > before, "what waits is sent at the end"
