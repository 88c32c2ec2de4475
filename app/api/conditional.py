"""``If-None-Match`` on single rows: nothing is sent again that the client has (RFC 9110, 13.1.2).

Only where the answer follows from the row alone, so that its version tells each of its states.
"""

from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Response

from app.api.deps import etag_of
from app.api.openapi import ETAG

T = TypeVar("T")
UNCHANGED: dict[int | str, dict[str, Any]] = {  # as FastAPI takes them
    200: {"headers": ETAG},
    304: {"description": "Unchanged since the ETag in If-None-Match.", "headers": ETAG},
}


def is_known(tag: str, offered: str) -> bool:
    """Whether ``If-None-Match`` has it: a list, or ``*``."""
    known = {part.strip().removeprefix("W/") for part in offered.split(",")}
    return bool(known & {tag, "*"})


class IfNoneMatch:
    """Answers with the row and its ETag, or with 304 where the client has that already."""

    def __init__(
        self,
        response: Response,
        if_none_match: Annotated[
            str | None, Header(description="ETags you have; 304 where one of them is current.")
        ] = None,
    ) -> None:
        self._response = response
        self._offered = if_none_match or ""

    def answer(self, row: T) -> T | Response:
        tag = etag_of(row)
        if is_known(tag, self._offered):
            return Response(status_code=304, headers={"ETag": tag})
        self._response.headers["ETag"] = tag
        return row


IfNoneMatchDep = Annotated[IfNoneMatch, Depends(IfNoneMatch)]
