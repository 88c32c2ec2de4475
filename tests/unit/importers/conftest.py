"""Servers that answer as they are told."""

from collections.abc import Iterator

import pytest

from tests.unit.importers.remote import Remote, answering


@pytest.fixture
def remote() -> Iterator[Remote]:
    with answering() as remote:
        yield remote
