"""Browser forms: strings in, a validated schema or field errors out, input kept as typed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile

from app.core.templating import pretty_json
from app.core.texts import _, lazy, mark, translated
from app.exceptions import AppError, BadRequest
from app.schemas.problems import in_words

T = TypeVar("T", bound=BaseModel)
PASSWORD_FIELD = "reauthentication_password"  # noqa: S105  (a field's name)
# Fields that forms call otherwise than their names do.
LABELS = {
    "allowed_cidrs": mark("Only from these addresses"),
    "cache_read_price": mark("Read from a cache"),
    "cache_write_price": mark("Written to a cache"),
    "confirmation": mark("E-mail of the person"),
    "days": mark("Expires after"),
    "email": mark("E-mail"),
    "endpoint_method": mark("Method"),
    "endpoint_url": mark("Address"),
    "events": mark("Tell it when"),
    "input_price": mark("Input"),
    "model_name": mark("Model"),
    "model_pattern": mark("Model"),
    "output_price": mark("Output"),
    "provider_name": mark("Provider"),
    "reason": mark("Why"),
    "scopes": mark("It may"),
    "tool_ids": mark("Tools it may call"),
    "url": mark("Address"),
    "valid_from": mark("First day"),
    "valid_to": mark("Last day"),
    "value": mark("Score"),
}
NOT_JSON = lazy("is not valid JSON: {reason} (line {line}, column {column})")


class Typed(dict[str, Any]):
    """Fields by name; one that was not sent is empty, as a browser's form may lack any."""

    def __missing__(self, name: str) -> str:
        return ""


def label_of(name: str) -> str:
    return LABELS.get(name) or name.replace("_", " ").capitalize()


@dataclass(slots=True)
class Form:
    """What the user typed, and what is wrong with it by field; ``""`` is the whole form."""

    values: dict[str, Any]
    errors: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.values = Typed(self.values)

    def error(self, name: str) -> str | None:
        return self.errors.get(name)

    @property
    def summary(self) -> list[tuple[str, str]]:
        """``(id of the control, message with what the field is called)``, for the list on top."""
        return [
            # Not formatted: anybody may post a field of any name.
            (f"f-{name}", f"{translated(label_of(name))}: {message}")
            for name, message in self.errors.items()
            if name
        ]


def typed(data: FormData, lists: Sequence[str] = ()) -> dict[str, Any]:
    """Text fields by name. Raise ``BadRequest`` for files, which no form of ours sends."""
    values: dict[str, Any] = {name: data.getlist(name) for name in lists}
    for name, value in data.multi_items():
        if isinstance(value, UploadFile):
            raise BadRequest(lazy("This form takes no files."))
        # The password of a confirmation travels with the form that it confirms.
        if name not in lists and name != PASSWORD_FIELD:
            values[name] = value.replace("\r\n", "\n")
    return values


def aliases(schema: type[BaseModel]) -> dict[str, str]:
    return {field.alias: name for name, field in schema.model_fields.items() if field.alias}


def parse(
    schema: type[T], values: Mapping[str, Any], json_fields: Sequence[str] = ()
) -> tuple[T | None, Form]:
    """The validated input, or ``None`` and a form that says what is wrong where."""
    form = Form(dict(values))
    given = dict(values)
    for name in json_fields:
        try:
            given[name] = json.loads(given.get(name) or "{}")
        except json.JSONDecodeError as error:
            form.errors[name] = NOT_JSON.format(
                reason=error.msg, line=error.lineno, column=error.colno
            )
            given.pop(name)
        except (RecursionError, ValueError):
            form.errors[name] = _("is not JSON that can be read")
            given.pop(name)
    try:
        data = schema.model_validate(given)
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = str(problem["loc"][0]) if problem["loc"] else ""
            form.errors.setdefault(aliases(schema).get(name, name), in_words(problem))
        return None, form
    return (None, form) if form.errors else (data, form)


def refuse(form: Form, error: AppError) -> Form:
    """Put a service's error beside its field."""
    form.errors[error.field or ""] = error.message
    return form


def shown(row: Any, schema: type[BaseModel], json_fields: Sequence[str] = ()) -> dict[str, Any]:
    """A row's fields as a form shows them: texts, JSON laid out, booleans as true and false."""
    values: dict[str, Any] = {}
    for name in schema.model_fields:
        if not hasattr(type(row), name):
            continue
        value = getattr(row, name)
        if name in json_fields:
            value = pretty_json(value)
        elif isinstance(value, bool):
            value = "true" if value else "false"
        values[name] = "" if value is None else str(value)
    return values


def version_in(values: dict[str, Any]) -> int:
    """Take the row version out of the form. Raise ``BadRequest`` when the form has none."""
    text = str(values.pop("row_version", ""))
    if not (text.isascii() and text.isdigit() and len(text) < 18):
        raise BadRequest(lazy("The form is missing its version. Load the page again."))
    return int(text)
