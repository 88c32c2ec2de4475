"""``Idempotency-Key``: a POST that creates answers the same however often it is sent."""

import hashlib
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from starlette.responses import JSONResponse

from app.api.deps import ActorDep, SessionDep
from app.models import IdempotencyKey
from app.services.idempotency_keys import Answer, Claim, IdempotencyKeyService

B = TypeVar("B", bound=BaseModel)
REPLAYED = "Idempotency-Replayed"


class Replayed(Exception):
    """Ends the request with the answer that was given before."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("answered before")
        self.answer = answer


async def replay(_: Request, error: Exception) -> Response:
    if not isinstance(error, Replayed):
        raise error
    headers = {REPLAYED: "true"}
    if error.answer.location:
        headers["Location"] = error.answer.location
    return JSONResponse(error.answer.body, error.answer.status, headers)


class Once:
    """The claim of one request; without a key there is nothing to keep."""

    def __init__(self, keys: IdempotencyKeyService, row: IdempotencyKey | None) -> None:
        self._keys = keys
        self._row = row

    async def keep(
        self, body: B, response: Response, default_status: int, *, shown_once: str | None = None
    ) -> B:
        """Keep the answer for a repetition, and hand it on.

        The field ``shown_once`` is a secret: it is kept nowhere, and null in a repetition.
        """
        if self._row is not None:
            status = response.status_code or default_status
            stored = body.model_dump(mode="json", by_alias=True)
            stored |= {} if shown_once is None else {shown_once: None}
            answer = Answer(status, stored, response.headers.get("location"))
            await self._keys.keep(self._row, answer)
        return body


async def claim_once(
    request: Request,
    session: SessionDep,
    actor: ActorDep,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            description="Your name for this request; sent again, it answers the same.",
        ),
    ] = None,
) -> Once:
    keys = IdempotencyKeyService(session, actor)
    if key is None:
        return Once(keys, None)
    digest = hashlib.sha256(await request.body()).digest()
    found = await keys.claim(Claim(request.method, request.url.path, key, digest))
    if isinstance(found, Answer):
        raise Replayed(found)
    return Once(keys, found)


OnceDep = Annotated[Once, Depends(claim_once)]
