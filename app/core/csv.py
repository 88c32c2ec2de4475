"""Lines of CSV that a spreadsheet can open without running anything (OWASP, CSV injection)."""

import csv
import io
from collections.abc import Sequence

# The wide forms of the signs too, which spreadsheets set to Japanese or Chinese take for them.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
QUOTE = "'"


def is_risky(value: str) -> bool:
    """Whether a spreadsheet might run it, blanks in front left aside; or it looks guarded."""
    if value.startswith(FORMULA_STARTS) or value.lstrip().startswith(FORMULA_STARTS):
        return True
    return value.startswith(QUOTE) and is_risky(value.lstrip(QUOTE))


def formula_safe(value: str) -> str:
    """Spreadsheets run text that starts like a formula; a quote in front stops it."""
    return f"{QUOTE}{value}" if is_risky(value) else value


def formula_restored(value: str) -> str:
    """What ``formula_safe`` was given."""
    return value[1:] if value.startswith(QUOTE) and is_risky(value) else value


def csv_line(values: Sequence[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(values)
    return buffer.getvalue()
