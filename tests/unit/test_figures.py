"""How two runs differ in a figure."""

from decimal import Decimal

import pytest

from app.core.templating import money
from app.core.wording import number
from app.pages.comparison_view import difference


@pytest.mark.parametrize(
    ("old", "new", "told", "verdict"),
    [
        (100, 150, "+50 (+50%)", "worse"),
        (100, 50, "−50 (−50%)", "better"),
        (10_869, 10_873, "+4 (+0%)", ""),
        (0, 1, "+1", "worse"),
        (7, 7, "same", ""),
        (None, 7, "", ""),
    ],
)
def test_what_rounds_to_nothing_is_neither_better_nor_worse(
    old: int | None, new: int, told: str, verdict: str
) -> None:
    assert difference(old, new, number) == (told, verdict)


def test_tiny_cost_is_told_with_one_sign() -> None:
    told, _ = difference(Decimal("0.00380"), Decimal("0.00381"), money)
    assert told == "< +$0.0001 (+0%)"
