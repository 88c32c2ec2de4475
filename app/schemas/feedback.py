"""A score or a note on a run or one of its steps."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from app.core.texts import _
from app.models.feedback import FeedbackSource
from app.schemas.base import Amount, Input, LongText, Output, ShortText
from app.schemas.spans import HexSpanId


class FeedbackCreate(Input):
    """At least one of `value`, `label` and `comment`."""

    name: Annotated[ShortText, Field(min_length=1, max_length=100)]
    value: Annotated[Decimal | None, Field(ge=-(10**9), le=10**9)] = None
    label: ShortText | None = None
    comment: LongText | None = None
    span_id: HexSpanId | None = Field(None, description="The step that it is about.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.value is None and self.label is None and self.comment is None:
            raise ValueError(_("needs a value, a label or a comment"))
        return self


class FeedbackRead(Output):
    id: int
    name: str
    value: Amount | None
    label: str | None
    comment: str | None
    span_id: Annotated[
        str | None,
        BeforeValidator(lambda value: value.hex() if isinstance(value, bytes) else value),
    ]
    source: FeedbackSource
    """By a person on a page, over the API, or with a span (`otlp`)."""
    created_by: int | None
    created_at: datetime
