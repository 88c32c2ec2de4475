"""Attribute values as facts."""

import pytest

from app.services.ingestion.dialects.values import long_text


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ('"TOOL"', "TOOL"),
        ('no tool is called "x"', 'no tool is called "x"'),
        ('"x" was not found', '"x" was not found'),
        ('"x" is not "y"', '"x" is not "y"'),
        ('"', '"'),
        ('""', None),
        ("  plain ", "plain"),
    ],
)
def test_quotes_go_only_when_they_are_around_the_whole(sent: str, kept: str | None) -> None:
    assert long_text(sent) == kept
