"""Files of rows: JSON, JSON lines, or CSV as spreadsheets write it; each row with its line."""

import csv
import io
import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.core.csv import formula_restored
from app.exceptions import Invalid

MAX_BYTES, MAX_ROWS = 5 * 1024 * 1024, 2_000
MAX_DIGITS = 1_000
DELIMITERS = (",", ";", "\t")
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
# A cell may be as long as the file; the library would refuse 128 KiB.
csv.field_size_limit(MAX_BYTES)


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the file: what it says, or why it cannot be read."""

    line: int
    values: dict[str, Any]
    problem: str | None = None
    is_text: bool = False  # all values are texts: the cells of CSV


def shown(text: object, limit: int = 200) -> str:
    """What a file holds, fit to be stored and shown."""
    plain = str(text).encode("utf-8", "replace").decode().replace("\x00", "\ufffd")
    return plain if len(plain) <= limit else f"{plain[:limit]}…"


def refused(message: str) -> Invalid:
    return Invalid(message, field="file")


def records_of(data: bytes, columns: Collection[str]) -> list[Record]:
    """The rows of a file; ``columns`` are the names that CSV may have in its first line.

    Raise ``Invalid`` for a file that cannot be read at all, saying in which line.
    """
    text = text_of(data)
    start = text.lstrip()[:1]
    read = array_in if start == "[" else lines_in if start == "{" else None
    found = read(text) if read else cells_in(text, columns)
    records: list[Record] = []
    for record in found:
        if len(records) == MAX_ROWS:
            raise refused(f"The file has more than {MAX_ROWS:,} rows. Split it.")
        records.append(record)
    if not records:
        raise refused("The file has no rows.")
    return records


def text_of(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise refused(f"The file is larger than {MAX_BYTES // 1024**2} MB. Split it.")
    if data.startswith(UTF_16):
        raise refused("The file is UTF-16. Save it as UTF-8 (in Excel: CSV UTF-8).")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise refused(
            f"Line {line} is not UTF-8. Save the file as UTF-8 (in Excel: CSV UTF-8)."
        ) from error
    if "\x00" in text:
        raise refused(f"Line {text.count(chr(10), 0, text.index(chr(0))) + 1} has a NUL character.")
    if not text.strip():
        raise refused("The file is empty.")
    return text


class UnreadableJson(ValueError):
    """Says what is wrong; ``offset`` is where, in characters."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


def no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"{shown(twice)} is there twice in one object")
    return found


def whole_number(digits: str) -> int:
    """Python takes long for very long ones, and refuses them in words for programmers."""
    if len(digits) > MAX_DIGITS:
        raise ValueError("a number has too many digits")
    return int(digits)


DECODER = json.JSONDecoder(
    parse_int=whole_number, parse_constant=no_constant, object_pairs_hook=each_once
)


def value_at(text: str, start: int) -> tuple[Any, int]:
    """A JSON value and where it ends. Raise ``UnreadableJson``."""
    try:
        return DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise UnreadableJson(f"is not JSON: {error.msg}", error.pos) from error
    except RecursionError as error:
        raise UnreadableJson("is nested too deeply", start) from error
    except ValueError as error:
        raise UnreadableJson(f"is not JSON: {shown(error)}", start) from error


def blank_to(text: str, start: int) -> int:
    while start < len(text) and text[start] in " \t\r\n":
        start += 1
    return start


def whole_value(text: str) -> Any:  # any JSON value
    value, end = value_at(text, blank_to(text, 0))
    if blank_to(text, end) < len(text):
        raise UnreadableJson("is not JSON: there is something after the value", end)
    return value


def record_of(line: int, value: object) -> Record:
    if isinstance(value, dict):
        return Record(line, value)
    return Record(line, {}, "must be an object")


def array_in(text: str) -> Iterator[Record]:
    place, line, counted = text.index("[") + 1, 1, 0
    while (place := blank_to(text, place)) < len(text) and text[place] != "]":
        line, counted = line + text.count("\n", counted, place), place
        try:
            value, place = value_at(text, place)
        except UnreadableJson as error:
            bad = text.count("\n", 0, error.offset) + 1
            raise refused(f"Line {bad} {error}.") from error
        yield record_of(line, value)
        place = blank_to(text, place)
        if text[place : place + 1] == ",":
            place += 1
        elif text[place : place + 1] != "]":
            break
    if text[place:].strip() != "]":
        bad = text.count("\n", 0, place) + 1
        raise refused(f"Line {bad} is not JSON: a comma or the end of the list was expected.")


def lines_in(text: str) -> Iterator[Record]:
    """An object on each line; or a single one on many."""
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    try:
        whole_value(lines[0][1])
    except UnreadableJson:
        try:
            yield record_of(lines[0][0], whole_value(text))
        except UnreadableJson as error:
            if len(lines) == 1 or lines[0][1].strip() == "{":
                bad = text.count("\n", 0, error.offset) + 1
                raise refused(f"Line {bad} {error}.") from error
        else:
            return
    for number, line in lines:
        try:
            yield record_of(number, whole_value(line))
        except UnreadableJson as error:
            yield Record(number, {}, str(error))


def cells_in(text: str, columns: Collection[str]) -> Iterator[Record]:
    head = text.split("\n", 1)[0].strip("\r")
    delimiter = max(DELIMITERS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    names: list[str] = []
    line = 1
    try:
        for row in reader:
            if not names:
                names = column_names(row, columns)
            elif any(row):
                yield row_of(line, names, row)
            line = reader.line_num + 1
    except csv.Error as error:
        raise refused(f"The row that begins in line {line} is not CSV: {error}.") from error


def column_names(row: Sequence[str], columns: Collection[str]) -> list[str]:
    names = [name.strip().lower() for name in row]
    unknown = [name for name in names if name not in columns]
    if "name" not in names or unknown:
        found = (
            f"there is no column {shown(unknown[0] or 'without a name', 50)}; " if unknown else ""
        )
        raise refused(
            f"Line 1 must name the columns, name among them: {found}known are "
            f"{', '.join(sorted(columns))}."
        )
    if len(set(names)) < len(names):
        raise refused("Line 1 names a column twice.")
    return names


def row_of(line: int, names: Sequence[str], row: Sequence[str]) -> Record:
    if len(row) != len(names):
        return Record(line, {}, f"has {len(row)} cells where line 1 has {len(names)}")
    cells = (formula_restored(cell) for cell in row)
    return Record(line, dict(zip(names, cells, strict=True)), is_text=True)
