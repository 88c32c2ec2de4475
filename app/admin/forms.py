"""Posted forms: read, validated by the service's own schema, and errors put beside fields."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from wtforms import BooleanField, Form, HiddenField

from app.admin.fields import IdsField
from app.api.errors import to_app_error
from app.core.texts import lazy
from app.exceptions import AppError, BadRequest, Invalid

VERSION = "row_version"
CHECK_FIELDS = lazy("Some of the input is not valid; see the fields below.")


class RowForm(Form):
    """The form of a resource; ``row_version`` says which state of the row was looked at."""

    row_version = HiddenField()


async def posted(request: Request) -> FormData:
    """Raise ``BadRequest`` for files, which no form here sends."""
    data = await request.form()
    if any(isinstance(value, UploadFile) for _, value in data.multi_items()):
        raise BadRequest(lazy("This form takes no files."))
    return data


def version_of(data: dict[str, Any]) -> int:
    """Take the row version out of ``data``. Raise ``BadRequest`` when it is not there."""
    text = str(data.pop(VERSION, None) or "")
    if not (text.isascii() and text.isdigit() and len(text) < 18):
        raise BadRequest(lazy("The form lacks the version of the row. Open it again and retry."))
    return int(text)


def unix_lines(value: Any) -> Any:  # a value of any field
    """Browsers send every line end as CR LF, whatever the text had."""
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


def sent(form: Form) -> dict[str, Any]:
    """Values of the fields that were posted; boxes are not posted when nothing is ticked."""
    return {
        field.name: field.data
        for field in form
        if field.raw_data or isinstance(field, BooleanField | IdsField)
    }


def given(schema: type[BaseModel], data: Mapping[str, Any]) -> dict[str, Any]:
    """What was filled in; an optional field that was left empty takes the schema's default."""
    return {
        name: unix_lines(value)
        for name, value in data.items()
        if value != "" or schema.model_fields[name].is_required()
    }


def changed(row: object, data: Mapping[str, Any]) -> dict[str, Any]:
    """What differs from the row, so that a save never rewrites what nobody touched."""
    values = {}
    for name, value in data.items():
        old, new = unix_lines(getattr(row, name, None)), unix_lines(value)
        if new != old and (new or old is not None or not isinstance(new, str)):
            values[name] = new
    return values


def put_errors(form: Form, error: AppError, schema: type[BaseModel]) -> str:
    """Place each problem beside its field; return the message for the whole form."""
    names = {field.alias or name: name for name, field in schema.model_fields.items()}
    left = []
    for detail in error.details:
        field = str(detail.get("field") or "").split(".")[0]
        name = names.get(field, field)
        if name in form:
            form[name].errors = [*form[name].errors, str(detail["message"])]
        else:
            left.append(str(detail["message"]))
    if left:
        return " ".join(left)
    return CHECK_FIELDS if form.errors and isinstance(error, Invalid) else error.message


def known_error(error: Exception) -> AppError:
    """What may be shown. Raise it again when it is a fault of ours: that is a page of its own."""
    if isinstance(error, AppError | ValidationError):
        return to_app_error(error)
    known = to_app_error(error)
    if known.status == 500:
        raise error
    return known
