"""Requests that wait for their turn keep no connection from those whose turn it is."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI

from app.core.config import Settings
from app.core.database import Database
from app.core.permissions import Role
from app.services.ingestion.otlp import JSON
from app.services.ingestion.queue import IngestQueue
from app.services.refresh_tokens import RefreshTokenService
from tests.conftest import actor_for, client_of
from tests.factories.clients import key_headers
from tests.factories.ingest_batches import good_request, make_ingest_batch
from tests.factories.users import make_user
from tests.otlp.requests import encoded, make_span

SENDERS = 12


@pytest.fixture
async def sender(
    app: FastAPI, settings: Settings, own_database: Database
) -> AsyncIterator[httpx2.AsyncClient]:
    """Of an app over a database with fewer connections than ``SENDERS``."""
    assert settings.database_pool_size < SENDERS
    app.state.database = own_database
    app.state.ingest_queue = IngestQueue(own_database, settings.otlp_max_body_bytes)
    async with client_of(app) as client:
        yield client


async def test_spans_of_more_senders_than_connections_are_stored(
    sender: httpx2.AsyncClient, own_database: Database
) -> None:
    async with own_database.unit_of_work() as session:
        user = await make_user(session, role=Role.STAFF)
        keys = [await key_headers(session, user) for _ in range(SENDERS)]
    requests = []
    for number, key in enumerate(keys, 1):
        request = encoded([make_span(1, trace=number)], JSON)
        requests.append(request | {"headers": request["headers"] | key})
    answers = await asyncio.gather(*(sender.post("/v1/traces", **each) for each in requests))
    assert [answer.status_code for answer in answers] == [200] * SENDERS


async def test_spans_of_people_wait_without_a_connection_too(
    sender: httpx2.AsyncClient, own_database: Database, settings: Settings
) -> None:
    async with own_database.unit_of_work() as session:
        user = await make_user(session, role=Role.STAFF)
        pair = await RefreshTokenService(session, actor_for(user), settings).open(user, None)
    token = {"Authorization": f"Bearer {pair.access_token}"}
    requests = [encoded([make_span(1, trace=number)], JSON) for number in range(1, SENDERS + 1)]
    answers = await asyncio.gather(
        *(
            sender.post("/v1/traces", **each | {"headers": each["headers"] | token})
            for each in requests
        )
    )
    assert [answer.status_code for answer in answers] == [200] * SENDERS


async def test_spans_that_more_senders_than_connections_send_again_are_stored(
    sender: httpx2.AsyncClient, own_database: Database
) -> None:
    async with own_database.unit_of_work() as session:
        user = await make_user(session, role=Role.STAFF)
        key = await key_headers(session, user)
        spans = [good_request(number) for number in range(1, SENDERS + 1)]
        batches = [await make_ingest_batch(session, actor_for(user), (span,)) for span in spans]
    paths = [f"/api/v1/ingest-batches/{batch.id}/replay" for batch in batches]
    answers = await asyncio.gather(*(sender.post(path, headers=key) for path in paths))
    assert [answer.json().get("stored") for answer in answers] == [1] * SENDERS
