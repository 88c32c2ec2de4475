"""Receipts of OpenTelemetry requests, and the spans that were refused."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from app.schemas.base import MAX_PAGE_SIZE, CursorQuery, Input, Output, RowId


class IngestBatchQuery(CursorQuery):
    """Newest first."""

    api_key_id: RowId | None = None
    """What came in with this key."""
    rejected: bool | None = None
    """`true`: batches of which some spans are not stored; `false`: those stored whole."""


class IngestBatchRead(Output):
    """One request to `/v1/traces` or `/v1/logs`. ``size_bytes`` is after decompression."""

    id: int
    user_id: int | None
    api_key_id: int | None
    media_type: str
    size_bytes: int
    span_count: int
    rejected_count: int
    """Spans and events that are not stored; those sent again with success are no longer counted."""
    execution_count: int
    """How many runs the spans belong to."""
    event_count: int
    """Log records that tell of spans and runs, which are kept for them."""
    created_at: datetime


class RejectedSpanRead(Output):
    """``request`` is an OTLP request, as JSON, with this one span or log record."""

    id: int
    batch_id: int
    name: str
    reason: str
    request: dict[str, Any]
    sendable_at: datetime | None
    """From when on it may be sent again; `null` where it can never be stored as it was sent."""
    created_at: datetime


class IngestReplay(Input):
    """Which rejected spans to send again."""

    ids: Annotated[list[RowId], Field(max_length=MAX_PAGE_SIZE)] = Field(default_factory=list)
    """Just these; empty: as many of the batch that can be sent again as one request may hold."""


class IngestReplayed(Output):
    """What came of it."""

    stored: int
    refused: int
    left: int
    """Rejected spans of the batch that are still kept."""
    message: str
    """Why spans were refused again; empty where none was."""
