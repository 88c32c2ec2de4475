"""The model provider that the doctor asks."""

from tests.stage import provider

__all__ = ["provider"]
