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
EVERYTHING = "matching"
IDS: TypeAdapter[list[int]] = TypeAdapter(Ids)
NO_IDS = lazy("Choose 1 to %(max_page_size)s rows by their ids.", max_page_size=MAX_PAGE_SIZE)


def listed(request: Request, name: ListName, schema: type[Q]) -> tuple[Q, str | None]:
    """The query of a list, or of the rows that are ticked in it, and the order of the rows.

    Raise ``Invalid`` for ids that are none: a list leaves out what it cannot read, and here that
    would let all rows leave.
    """
    state, params = state_of(request, name), request.query_params
    if params.get("rows") == EVERYTHING:
        return matching(params.get("filter"), schema), None
    given = [part for text in params.getlist("ids") for part in text.split(",") if part]
    try:
        ids = IDS.validate_python(given)
    except ValidationError as error:
        raise Invalid(NO_IDS, field="ids") from error
    values = {"ids": ids} | ({"sort": state.sort or None} if "sort" in schema.model_fields else {})
    return state.query(schema, **values), state.sort or None


def matching(chosen: str | None, schema: type[Q]) -> Q:
    """All rows that the list had when "all that match" was ticked in it. Raise ``Invalid``."""
    try:
        return schema.model_validate(listing.filter_in(chosen or "{}"))
    except ValidationError as error:
        raise Invalid(lazy("The filter cannot be read. Load the list again.")) from error


async def answer(request: Request, actor: Actor, export: Export, form: ExportFormat) -> Response:
    response = await download(request, actor, export, form)
    keep_renewed_session(request, response)
    return response
