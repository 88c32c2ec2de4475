"""Lists as files, from the pages of the lists: what their filters match, all of it."""

from typing import Annotated, TypeVar

from fastapi import Query, Request
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.responses import Response

from app.api.downloads import download
from app.core.actor import Actor
from app.core.texts import lazy
from app.exceptions import Invalid
from app.models import ListName
from app.pages import listing
from app.pages.cookies import keep_renewed_session
from app.pages.list_state import state_of
from app.schemas.base import MAX_PAGE_SIZE, Ids
from app.schemas.exports import ExportFormat
from app.services.exports import Export

Q = TypeVar("Q", bound=BaseModel)
FormatQuery = Annotated[ExportFormat, Query(alias="format")]
BodiesQuery = Annotated[bool, Query()]
SELECTED = frozenset({"ids"})
IDS: TypeAdapter[list[int]] = TypeAdapter(Ids)
NO_IDS = lazy("Choose 1 to %(max_page_size)s rows by their ids.", max_page_size=MAX_PAGE_SIZE)


def exactly(request: Request, query: Q) -> Q:
    """The list's query. Raise ``Invalid`` for rows chosen by ids that are none.

    A list leaves out what it cannot read; here that would let all rows leave.
    """
    if request.query_params.get("ids") and not getattr(query, "ids", None):
        raise Invalid(NO_IDS, field="ids")
    return query


def query_of(request: Request, schema: type[Q]) -> Q:
    """As the list reads its URL; any number of ``ids``."""
    return exactly(request, listing.query_of(request, schema, SELECTED))


def listed(request: Request, name: ListName, schema: type[Q]) -> tuple[Q, str | None]:
    """The query of a list with filters and a sort of its own, or of the rows that ``ids`` choose.

    Raise ``Invalid`` for ids that are none.
    """
    state, params = state_of(request, name), request.query_params
    given = [part for text in params.getlist("ids") for part in text.split(",") if part]
    try:
        ids = IDS.validate_python(given)
    except ValidationError as error:
        raise Invalid(NO_IDS, field="ids") from error
    values = {"ids": ids} | ({"sort": state.sort or None} if "sort" in schema.model_fields else {})
    return state.query(schema, **values), state.sort or None


async def answer(request: Request, actor: Actor, export: Export, form: ExportFormat) -> Response:
    response = await download(request, actor, export, form)
    keep_renewed_session(request, response)
    return response
