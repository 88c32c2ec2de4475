"""Files of OTLP's JSON, and the command that sends them to a server that answers as told."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.importers.command import importers
from app.importers.files import InputError
from app.importers.otlp_json import parts_of
from tests.unit.importers.remote import Remote, answer

REQUEST = {"resourceSpans": [{"scopeSpans": [{"spans": [{"spanId": "00000000000000a1"}]}]}]}
LINE = json.dumps(REQUEST)
EVENT = {"eventName": "gen_ai.choice"}
NAMED = {"attributes": [{"key": "event.name", "value": {"stringValue": "gen_ai.user.message"}}]}


def logs(*records: Any) -> str:
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]})


def write(folder: Path, content: str | bytes, name: str = "traces.jsonl") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path) -> tuple[list[int], list[str], list[str]]:
    """The lines with requests, the faults, and the notices."""
    faults: list[InputError] = []
    said: list[str] = []
    lines = [line for part in parts_of(path, faults.append, said.append) for line, _ in part.given]
    return lines, [str(fault).removeprefix(str(path)) for fault in faults], said


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (LINE, [1]),
        (json.dumps(REQUEST, indent=2), [1]),
        (f"{LINE}\n\n{LINE}\n", [1, 3]),
        (gzip.compress(f"{LINE}\n{LINE}\n".encode()), [1, 2]),
        (gzip.compress(LINE.encode()) + gzip.compress(f"\n{LINE}".encode()), [1, 2]),
    ],
    ids=["one", "indented", "lines", "gzip", "gzip in two members"],
)
def test_each_shape_of_file_is_read(tmp_path: Path, content: str | bytes, lines: list[int]) -> None:
    assert read(write(tmp_path, content)) == (lines, [], [])


def test_lines_that_cannot_be_used_are_named_and_the_others_are_read(tmp_path: Path) -> None:
    odd = ["[1]", '{"a": 1}', '{"resourceSpans": null}', LINE[:20]]
    lines, faults, _ = read(write(tmp_path, "\n".join([LINE, *odd, LINE])))
    assert lines == [1, 6]
    assert faults[:3] == [
        ", line 2: This is not an object with resourceSpans.",
        ", line 3: There are no resourceSpans in it.",
        ", line 4: There are no spans in it.",
    ]
    assert "is not JSON" in faults[3]
    assert "line 5" in faults[3]


def test_other_signals_are_counted_and_left_out(tmp_path: Path) -> None:
    others: tuple[Any, ...] = ({"body": {}}, {"attributes": [7, {"key": "event.name"}]}, None)
    lines = [logs(*others), LINE, '{"resourceMetrics": []}', logs(), '{"resourceLogs": 7}']
    path = write(tmp_path, "\n".join([*lines, logs(EVENT, *others, NAMED)]))
    kept = "Greenroom keeps spans and GenAI events."
    told = ["log records left out (6)", "lines of metrics left out (1)"]
    assert read(path) == ([2, 6], [], [f"{path}: {each}. {kept}" for each in told])
    *_, events = parts_of(path, print, print)
    assert [request for _, request in events.given] == [json.loads(logs(EVENT, NAMED))]


def test_what_stands_before_the_cut_in_a_gzip_is_read(tmp_path: Path) -> None:
    packed = gzip.compress(f"{LINE}\n".encode() * 5000)
    parts = parts_of(write(tmp_path, packed[:-12]), print, print)
    assert next(parts).count == 1
    with pytest.raises(InputError, match="its gzip is broken or cut off"):
        list(parts)


def run(remote: Remote, *arguments: str | Path) -> tuple[int, str]:
    given = ["otlp-json", *map(str, arguments), "--url", remote.url, "--api-key", "gr_key"]
    result = CliRunner().invoke(importers, given)
    return result.exit_code, result.stderr


def test_good_file_is_sent_in_one_request(remote: Remote, tmp_path: Path) -> None:
    remote.told.answers = [answer(200, {})]
    code, said = run(remote, write(tmp_path, f"{LINE}\n{LINE}"))
    assert (code, "Spans: 2 stored, 0 refused" in said) == (0, True), said
    assert len(remote.told.bodies) == 1


def test_bad_file_is_named_the_others_are_sent_and_the_command_fails(
    remote: Remote, tmp_path: Path
) -> None:
    remote.told.answers = [answer(200, {}), answer(200, {})]
    bad, missing = write(tmp_path, "<xml>", "bad.json"), tmp_path / "missing.json"
    good, other = write(tmp_path, LINE), write(tmp_path, LINE, "other.json")
    code, said = run(remote, good, bad, missing, other)
    assert (code, "Spans: 2 stored, 0 refused" in said) == (1, True), said
    assert f"{bad} is not JSON" in said
    assert f"Cannot read {missing}: No such file" in said


def test_dry_run_reads_everything_and_sends_nothing(remote: Remote, tmp_path: Path) -> None:
    code, said = run(remote, write(tmp_path, f"{LINE}\n{LINE}"), "--dry-run")
    assert (code, "Spans: 2 found, nothing sent" in said) == (0, True), said
    code, said = run(remote, write(tmp_path, f"{LINE}\n{logs(EVENT)}"), "--dry-run")
    assert "Spans: 1 found, GenAI events: 1 found, nothing sent" in said
    code, said = run(remote, write(tmp_path, f"{LINE}\nx"), "--dry-run")
    assert (code, "Spans: 1 found, nothing sent" in said) == (1, True), said
    assert remote.told.bodies == []


def test_refusal_by_the_server_ends_it_in_its_words(remote: Remote, tmp_path: Path) -> None:
    remote.told.answers = [answer(401, {"code": 16, "message": "This API key is not valid."})]
    code, said = run(remote, write(tmp_path, f"x\n{LINE}"), write(tmp_path, LINE, "b.json"))
    assert (code, "This API key is not valid." in said) == (1, True), said
    assert "is not JSON" in said
