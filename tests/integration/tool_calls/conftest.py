"""Processes that all tests here share: each takes a moment to start."""

import pytest

from app.core.process_pool import ProcessPool


@pytest.fixture(scope="package")
async def pool() -> ProcessPool:
    return ProcessPool(1)
