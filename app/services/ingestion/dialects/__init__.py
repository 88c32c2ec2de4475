"""Dialects of tracing: what a span says, whoever wrote it.

A new dialect is a file with its tables and a line in ``REGISTER``.
"""

from app.services.ingestion.dialects.reading import attributes_at_the_door, read_span, words_in

__all__ = ["attributes_at_the_door", "read_span", "words_in"]
