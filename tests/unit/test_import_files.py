"""Files of rows as people send them: every fault is said with its line, none is a crash."""

import pytest

from app.exceptions import Invalid
from app.services.import_files import MAX_BYTES, MAX_ROWS, records_of
from app.services.import_kinds import KINDS, fields_of, tool_names

COLUMNS = KINDS["agents"].columns
DEEP = b"[" * 100_000
MANY_NAMES = b"".join(b'"n%d": 0, ' % n for n in range(100_000))


def read(data: bytes) -> list[tuple[int, object]]:
    records = records_of(data, COLUMNS)
    return [(record.line, record.problem or record.values) for record in records]


@pytest.mark.parametrize(
    "data",
    [
        b'{"name": "one"}\n\n{"name": "two"}\n',
        b'[\n{"name": "one"},\n\n{"name": "two"}]',
        b"\xef\xbb\xbfName;Description\r\none;\r\ntwo;",
        b"name\tdescription\none\t\ntwo\t\n",
    ],
)
def test_rows_come_with_their_lines_in_every_form(data: bytes) -> None:
    records = records_of(data, COLUMNS)
    assert [record.values["name"] for record in records] == ["one", "two"]
    assert records[1].line == (4 if data.startswith(b"[") else 3)


def test_cells_may_have_breaks_quotes_and_any_length() -> None:
    long = "x" * 200_000
    data = f'name,system_prompt,config\none,"a\n""b""",{{}}\ntwo,{long},\n'.encode()
    first, second = records_of(data, COLUMNS)
    assert (first.line, first.values["system_prompt"]) == (2, 'a\n"b"')
    assert (second.line, second.values["system_prompt"]) == (4, long)
    assert fields_of(KINDS["agents"], first) == {
        "name": "one",
        "system_prompt": 'a\n"b"',
        "config": {},
    }


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"name\n", "no rows"),
        (b"\xff\xfen\x00", "UTF-16"),
        (b"name\none\n\xe4\n", "Line 3 is not UTF-8"),
        (b"name\none\ntw\x00o", "Line 3 has a NUL"),
        (b'name\none\n"two\n', "The row that begins in line 3 is not CSV"),
        (b"nam\none", "there is no column nam;"),
        (b"name,name\none,two", "twice"),
        (b"{" + b'"a":' * 3 + DEEP, "Line 1 is not JSON"),
        (b'[{"config": ' + DEEP, "nested too deeply"),
        (b'[{"name": "a"},\n{"name": "b"}\n{"name": "c"}]', "Line 3 is not JSON"),
        (b'[{"name": "a"}', "end of the list"),
        (b'{\n"name": "a",\n}', "Line 3 is not JSON"),
        (b'{"name": NaN}', "NaN is not JSON"),
        (b'{"name": "a", "name": "b"}', "name is there twice"),
        (b'{"name": ' + b"9" * 5000 + b"}", "a number has too many digits"),
        (b"[{" + MANY_NAMES + b'"n9": 0}]', "n9 is there twice"),
        (b"name\n" + b"a\n" * (MAX_ROWS + 1), "more than 2,000 rows"),
        (b"x" * (MAX_BYTES + 1), "larger than 5 MB"),
    ],
)
def test_file_that_cannot_be_read_is_refused_in_words(data: bytes, said: str) -> None:
    with pytest.raises(Invalid, match=said) as caught:
        records_of(data, COLUMNS)
    assert caught.value.field == "file"


def test_one_bad_line_costs_no_other() -> None:
    assert read(b'{"name": "a"}\n{"name": \n7\n{"name": "b"}') == [
        (1, {"name": "a"}),
        (2, "is not JSON: Expecting value"),
        (3, "must be an object"),
        (4, {"name": "b"}),
    ]
    assert read(b"name,model\none\ntwo,m") == [
        (2, "has 1 cells where line 1 has 2"),
        (3, {"name": "two", "model": "m"}),
    ]


def test_tools_are_named_in_any_of_three_ways() -> None:
    assert tool_names("b; a") == tool_names(["B", "a"]) == tool_names([{"name": "a"}, "b"])
    for wrong in (7, [7], [{"id": 1}], ["\ud800"], "a\x00"):
        with pytest.raises(ValueError, match="list of names"):
            tool_names(wrong)
