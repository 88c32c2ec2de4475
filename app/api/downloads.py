"""Lists as downloads, for the API and for pages: counted, on record, and cut where they fail."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from fastapi import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.api import limits
from app.core.actor import Actor
from app.core.rate_limits import RouteClass
from app.schemas.exports import ExportFormat
from app.services.exports import Export, ExportStream

MEDIA_TYPES = {
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.JSONL: "application/x-ndjson",
}
FILES: dict[str, Any] = {
    "description": "A download, sent as it is read. One that ends without its last chunk (RFC "
    "9112, 7.1) is not whole.",
    "content": {
        "text/csv": {"schema": {"type": "string"}},
        "application/x-ndjson": {"schema": {"type": "string"}},
    },
}


class Download(StreamingResponse):
    """What fails on the way ends the connection, so that no part is taken for the whole."""

    def __init__(self, stream: ExportStream) -> None:
        name = f"{stream.export.resource}-{datetime.now(UTC):%Y-%m-%d-%H%M%S}.{stream.form}"
        headers = {
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
        }
        super().__init__(stream.chunks(), media_type=MEDIA_TYPES[stream.form], headers=headers)
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await asyncio.shield(asyncio.create_task(self._stream.end()))


async def download(request: Request, actor: Actor, export: Export, form: ExportFormat) -> Download:
    """Raise ``TooManyRequests`` for one too many in a minute."""
    await limits.count(request, actor, RouteClass.EXPORT)
    stream = ExportStream(request.app.state.database, actor, export, form)
    await stream.begin()
    return Download(stream)
