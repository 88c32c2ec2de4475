"""``/metrics`` for Prometheus: only where METRICS_TOKEN is set, and only for who has it."""

import asyncio
import time
from secrets import compare_digest

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from starlette.responses import Response

from app.api import limits
from app.core.database import Database
from app.core.database_errors import as_app_error
from app.core.prometheus import PrometheusMeters
from app.exceptions import AppError, Unauthorized
from app.services.measures import Measures, read_measures
from app.services.sampling import Sampler

router = APIRouter(include_in_schema=False)
READ_EVERY_S = 5.0
ANSWER_WITHIN_S = 2.0


def families(found: Measures) -> list[Metric]:
    """The database's part, which is the same whichever process is asked."""
    places = GaugeMetricFamily(
        "greenroom_queue_jobs", "Jobs in the queue, by kind and state.", labels=("kind", "state")
    )
    wait = GaugeMetricFamily(
        "greenroom_queue_oldest_wait_seconds",
        "Seconds for which the oldest job that is due has waited.",
        labels=("kind",),
    )
    dead = GaugeMetricFamily(
        "greenroom_jobs_dead", "Jobs of the last 7 days that were given up.", labels=("kind",)
    )
    endpoints = GaugeMetricFamily(
        "greenroom_webhook_endpoints", "Webhook endpoints, by state.", labels=("state",)
    )
    for place in found.places:
        places.add_metric((place.kind, place.state), place.count)
        if place.state == "due":
            wait.add_metric((place.kind,), place.waited_s)
    for kind, count in found.dead.items():
        dead.add_metric((kind,), count)
    for state in ("active", "failing", "disabled"):
        endpoints.add_metric((state,), found.endpoints.get(state, 0))
    pending = GaugeMetricFamily(
        "greenroom_webhook_deliveries_pending",
        "Messages that no receiver has taken yet.",
        value=found.pending_deliveries,
    )
    return [places, wait, dead, endpoints, pending]


class Scrapes:
    """Reads the database every few seconds at the most, however often it is asked."""

    def __init__(self, database: Database, meters: PrometheusMeters, sampler: Sampler) -> None:
        self._database = database
        self._meters = meters
        self._sampler = sampler
        self._reading = asyncio.Lock()
        self._read_at = float("-inf")
        self._families: list[Metric] = []

    async def answer(self) -> bytes:
        async with self._reading:
            if time.monotonic() - self._read_at >= READ_EVERY_S:
                self._families = await self._read()
                self._read_at = time.monotonic()
        self._sampler.sample()
        return self._meters.exposition(*self._families)

    async def _read(self) -> list[Metric]:
        """Nothing while the database does not answer: what the process knows is told all the same.

        ``greenroom_queue_readable`` says which it is.
        """
        readable = GaugeMetricFamily(
            "greenroom_queue_readable", "Whether the queue could be looked at.", value=1
        )
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S), self._database.looking() as session:
                return [readable, *families(await read_measures(session))]
        except (AppError, TimeoutError):
            pass
        except Exception as error:
            if as_app_error(error) is None:
                raise
        readable.samples[0] = readable.samples[0]._replace(value=0)
        return [readable]


async def require_token(request: Request) -> None:
    """Raise ``Unauthorized``; who keeps guessing is stopped as with keys."""
    wanted = request.app.state.settings.metrics_token.get_secret_value()
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    async with limits.guessing(request, given):
        if scheme.lower() != "bearer" or not compare_digest(given.encode(), wanted.encode()):
            raise Unauthorized("Send METRICS_TOKEN: Authorization: Bearer ...")


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    await require_token(request)
    scrapes: Scrapes = request.app.state.scrapes
    return Response(await scrapes.answer(), media_type=CONTENT_TYPE_LATEST)
