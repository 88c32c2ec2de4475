"""What Pydantic finds wrong is said as one says it to a person."""

from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError

from app.schemas.problems import WORDING, in_words


class Everything(BaseModel):
    count: Annotated[int, Field(ge=1, le=9)] = 1
    open: Annotated[int, Field(gt=1, lt=9)] = 2
    name: Annotated[str, Field(min_length=2, max_length=3)] = "ab"
    few: Annotated[list[int], Field(min_length=1, max_length=2)] = [1]
    share: float = 0
    cost: Decimal = Decimal(0)
    on: bool = True
    level: Literal["low", "high"] = "low"
    extras: dict[str, Any] = {}


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("count", "many", "must be a whole number"),
        ("count", 1.5, "must be a whole number"),
        ("count", [], "must be a whole number"),
        ("count", 0, "must be at least 1"),
        ("count", 10, "must be at most 9"),
        ("open", 1, "must be more than 1"),
        ("open", 9, "must be less than 9"),
        ("name", "a", "must have at least 2 characters"),
        ("name", "abcd", "must have at most 3 characters"),
        ("name", 7, "must be text"),
        ("few", [], "choose at least 1"),
        ("few", [1, 2, 3], "may hold at most 2"),
        ("few", "1", "must be a list"),
        ("share", "half", "must be a number"),
        ("share", [], "must be a number"),
        ("cost", "much", "must be a number"),
        ("cost", [], "must be a number"),
        ("on", "perhaps", "must be true or false"),
        ("on", [], "must be true or false"),
        ("level", "middle", "must be one of 'low' or 'high'"),
        ("extras", [], "must be an object"),
    ],
)
def test_problem_is_said_in_words(field: str, value: Any, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Everything.model_validate({field: value})
    (problem,) = caught.value.errors()
    assert problem["type"] in WORDING
    assert in_words(problem) == said
