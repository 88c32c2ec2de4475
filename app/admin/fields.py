"""Form fields that give back what they were given when a form is saved unchanged."""

import json
from enum import StrEnum
from typing import Any

from wtforms import SelectField, SelectMultipleField, TextAreaField
from wtforms.widgets import CheckboxInput, ListWidget

from app.core.texts import lazy

NOT_JSON = lazy("This is not valid JSON: {reason} (line {line}, column {column}).")
UNREADABLE = lazy("This is not JSON that can be read.")


def refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


class JsonField(TextAreaField):
    """Any JSON value; ``[]``, ``0``, ``false``, ``""`` and ``null`` stay what they are."""

    def __init__(
        self, label: str, default: dict[str, Any] | list[Any], **options: Any
    ) -> None:  # WTForms' own
        # A callable, so that WTForms takes it as the value it returns.
        super().__init__(label, default=lambda: default, **options)  # type: ignore[arg-type,return-value]  # WTForms says text

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return json.dumps(self.data, ensure_ascii=False, indent=2)

    def process_formdata(self, valuelist: list[Any]) -> None:  # strings of the form
        if not valuelist:
            return
        try:
            self.data = json.loads(valuelist[0], parse_constant=refuse_constant)
        except json.JSONDecodeError as error:
            raise ValueError(
                NOT_JSON.format(reason=error.msg, line=error.lineno, column=error.colno)
            ) from error
        except (RecursionError, ValueError) as error:
            raise ValueError(UNREADABLE) from error


class EnumField(SelectField):
    """A ``StrEnum`` by its value, which is also what the form sends."""

    def __init__(self, label: str, enum: type[StrEnum], **options: Any) -> None:  # WTForms' own
        choices = [(member.value, member.value) for member in enum]
        # The schema refuses anything else, in the same words as everywhere.
        super().__init__(label, choices=choices, coerce=str, validate_choice=False, **options)


class IdsField(SelectMultipleField):
    """Rows chosen by id. Which ids may be chosen is the service's to say, not the form's."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()

    def __init__(self, label: str, **options: Any) -> None:  # WTForms' own
        super().__init__(label, coerce=int, validate_choice=False, choices=[], **options)

    def options(self) -> list[tuple[int, str, str]]:
        """As the template's list of checkboxes takes them."""
        choices: Any = self.choices  # WTForms does not say of what
        return [(row_id, name, "") for row_id, name in choices]
