"""Findings in words: nothing that people have stored gets into a statement that is shown."""

from datetime import timedelta

import pytest

from app.core.manual import DOCS
from app.core.wording import size, span
from app.schemas.operations import State
from app.services.operations.findings import graded, worst
from app.services.operations.report import CHECKS
from app.services.operations.wording import STATEMENT_SHOWN, up_to, without_values
from tests.unit.test_manual import anchors_of


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("SELECT * FROM users\n  WHERE id = $1", "SELECT * FROM users WHERE id = $1"),
        ("UPDATE t SET a = 'it''s secret', b = 12.5", "UPDATE t SET a = ?, b = ?"),
        (r"SELECT E'back\'slash secret' FROM t1", "SELECT ? FROM t1"),
        ("DO $$ BEGIN 'secret'; END $$", "DO ?"),
        ("SELECT $tag$ secret $1 $tag$, $2", "SELECT ?, $2"),
        ("INSERT INTO t VALUES ('cut off sec", "INSERT INTO t VALUES (?"),
    ],
)
def test_statements_are_shown_without_their_values(statement: str, shown: str) -> None:
    assert without_values(statement) == shown
    assert len(without_values(statement * 100)) <= STATEMENT_SHOWN


def test_what_is_not_known_makes_nothing_worse() -> None:
    assert worst([]) is State.OK
    assert worst([State.UNKNOWN, State.OK]) is State.OK
    assert worst([State.WARN, State.BAD, State.UNKNOWN]) is State.BAD
    assert [graded(value, 5, 10) for value in (4, 5, 10)] == [State.OK, State.WARN, State.BAD]


def test_sizes_spans_and_counts_are_words() -> None:
    assert [size(value) for value in (0, 1536, 123 * 1024**3)] == ["0 bytes", "1.5 kB", "123 GB"]
    spans = [timedelta(seconds=0.42), timedelta(minutes=90), timedelta(days=3, hours=4)]
    assert [span(each) for each in spans] == ["0.4 s", "1 h 30 min", "3 days 4 h"]
    assert [up_to(1_000, n) for n in (1, 999, 1_000)] == ["1", "999", "1,000+"]


def test_each_check_has_its_own_key_and_its_section_of_the_manual() -> None:
    assert len({check.key for check in CHECKS}) == len(CHECKS)
    for check in CHECKS:
        stem, _, anchor = check.help.partition("#")
        assert not anchor or anchor in anchors_of(DOCS / f"{stem}.md"), check.help
