"""Lists on pages: their state lives in the URL, their rows come by cursor."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from app.core.texts import lazy
from app.exceptions import BadRequest
from app.services.paging import Slice

Q = TypeVar("Q", bound=BaseModel)
MESSAGES = frozenset({"notice", "undo"})  # shown once
NOT_FILTERS = MESSAGES | {"cursor"}


def query_of(request: Request, schema: type[Q], lists: frozenset[str] = frozenset()) -> Q:
    """The filters in the URL. What is not a valid filter is left out: a link never breaks."""
    params = request.query_params
    given: dict[str, Any] = {
        name: [v for v in params.getlist(name) if v] if name in lists else params[name]
        for name in params
        if params[name] != "" and name in accepted_names(schema)
    }
    try:
        return schema.model_validate(given)
    except ValidationError as error:
        wrong = {str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}
        kept = {name: value for name, value in given.items() if name not in wrong}
    try:
        return schema.model_validate(kept)
    except ValidationError:
        return schema()


def filter_in(text: str) -> dict[str, Any]:
    """What ``list_context`` said of a list's filter. Raise ``BadRequest`` for anything else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRequest(lazy("The filter cannot be read. Load the list again.")) from error
    if not isinstance(found, dict):
        raise BadRequest(lazy("The filter cannot be read. Load the list again."))
    return found


def accepted_names(schema: type[BaseModel]) -> set[str]:
    fields = schema.model_fields
    return set(fields) | {field.alias for field in fields.values() if field.alias}


def href(path: str, params: Mapping[str, Any]) -> str:
    pairs = [(k, v) for k, v in params.items() if v not in (None, "", [])]
    return f"{path}?{urlencode(pairs, doseq=True)}" if pairs else path


def current_params(request: Request) -> dict[str, Any]:
    """The URL's filters, without the position in the list."""
    params = request.query_params
    return {
        name: values if len(values := params.getlist(name)) > 1 else values[0]
        for name in dict.fromkeys(params)
        if name not in NOT_FILTERS
    }


def pager_links(request: Request, rows: Slice[Any]) -> dict[str, str | None]:
    """Links to the rows before and after these, with the same filters."""
    params = current_params(request)

    def to(cursor: str | None) -> str | None:
        return href(request.url.path, params | {"cursor": cursor}) if cursor else None

    return {"newer": to(rows.previous_cursor), "older": to(rows.next_cursor)}


def here(request: Request) -> str:
    """This page as it is, but for messages that are shown once."""
    params = current_params(request)
    return href(request.url.path, params | {"cursor": request.query_params.get("cursor")})


def without(request: Request, name: str) -> str:
    """This list with one filter taken off."""
    params = {key: value for key, value in current_params(request).items() if key != name}
    return href(request.url.path, params)
