"""Numbered pages as the API answers them."""

import json
from collections.abc import Sequence
from typing import Any

from fastapi import Response

from app.api.answers import WITHHELD
from app.api.openapi import responses
from app.schemas.base import PageQuery
from app.services.base import Listing

READ_ERRORS = responses(401, 403, 404)
CREATE_ERRORS = responses(401, 403, 409, 413, 415)
CHANGE_ERRORS = responses(401, 403, 404, 409, 412, 413, 415)
LIST_ERRORS = responses(401, 403)
CHANGED = CHANGE_ERRORS | WITHHELD  # of routes that show the row to who may read it


def missing_of(ids: Sequence[int], found: set[int]) -> list[int] | None:
    """Of the ids asked for those that were not found; ``None`` where no ids were."""
    return [row_id for row_id in ids if row_id not in found] if ids else None


def cursor_page(
    items: Sequence[str], next_cursor: str | None, missing: Sequence[int] | None
) -> Response:
    """The body of ``CursorPage[T]`` around items that are JSON already."""
    rest = {"next_cursor": next_cursor} | ({} if missing is None else {"missing": missing})
    body = f'{{"items":[{",".join(items)}],{json.dumps(rest)[1:]}'
    return Response(body, media_type="application/json")


def page_of(listing: Listing[Any], query: PageQuery) -> dict[str, Any]:
    """The body of ``Page[T]``; rows are turned into ``T`` by the route's response model."""
    return {
        "items": listing.items,
        "total": listing.total,
        "total_is_exact": listing.total_is_exact,
        "page": query.offset // query.size + 1,
        "page_size": query.size,
        "pages": -(-listing.total // query.size),
        "missing": missing_of(query.ids, {item.id for item in listing.items}),
    }
