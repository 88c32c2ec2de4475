"""Lines of CSV that a spreadsheet can open without running anything (OWASP, CSV injection)."""

import csv
import io
from collections.abc import Sequence

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def formula_safe(value: str) -> str:
    """Spreadsheets run text that starts like a formula; a quote in front stops it."""
    return f"'{value}" if value.startswith(FORMULA_STARTS) else value


def csv_line(values: Sequence[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(values)
    return buffer.getvalue()
