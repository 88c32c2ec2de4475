import json
from pathlib import Path
from typing import Any

import pytest

from app.importers.files import InputError
from app.importers.transcripts import read_transcripts

MESSAGE = {"role": "user", "content": "Hallo ☀"}
MESSAGES = [MESSAGE, {"role": "assistant", "content": None}]


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "runs.json"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        (json.dumps([{"traj": MESSAGES}, {"messages": MESSAGES}]), 2),
        (json.dumps([{"traj": MESSAGES}, {"messages": MESSAGES}], indent=2), 2),
        (json.dumps([MESSAGES, MESSAGES, MESSAGES]), 3),
        (json.dumps({"messages": MESSAGES}), 1),
        (json.dumps(MESSAGES), 1),
        ("\n\n".join(json.dumps({"messages": MESSAGES}) for _ in range(3)) + "\n", 3),
        ("\n".join(json.dumps(MESSAGES) for _ in range(2)), 2),
        ("\ufeff" + json.dumps([MESSAGES]), 1),
    ],
)
def test_each_shape_of_file_is_read(tmp_path: Path, text: str, runs: int) -> None:
    found = list(read_transcripts(write(tmp_path, text)))
    assert [run.index for run in found] == list(range(runs))
    assert all(run.messages == MESSAGES for run in found)


def test_what_stands_beside_the_messages_is_kept(tmp_path: Path) -> None:
    (run,) = read_transcripts(write(tmp_path, json.dumps([{"traj": MESSAGES, "reward": 1}])))
    assert run.extras == {"reward": 1}


NO_LIST = 'Run 1 has no list of messages (under "messages" or "traj").'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([{"task": 1}], NO_LIST),
        (["text"], NO_LIST),
        (17, NO_LIST),
        ([{"traj": "text"}], NO_LIST),
        ([MESSAGES, []], "Run 2 has no messages: its list is empty."),
        ([MESSAGES, [MESSAGE, {"content": "x"}]], "Run 2, message 2 has no role."),
        ([[MESSAGE, "x"]], "Run 1, message 2 is not an object."),
        ([[{"role": 5}]], "Run 1, message 1 has a role that is not text."),
    ],
)
def test_faults_are_named_with_their_place(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(InputError) as raised:
        list(read_transcripts(write(tmp_path, json.dumps(content))))
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty."),
        ("{'a': 1}", "is not JSON"),
        ('[\n{"traj": }]', "(line 2, column 10)"),
        (json.dumps(MESSAGES) + "\n{", "(line 2, column 2)"),
        (b"\xff\xfe[", "is not UTF-8 text."),
        ("[" * 200_000, "is nested too deeply."),
        ("[" + "1" * 5000 + "]", "too many digits"),
    ],
)
def test_files_that_are_no_json_are_named(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(InputError) as raised:
        list(read_transcripts(write(tmp_path, text)))
    assert message in str(raised.value)


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        list(read_transcripts(tmp_path / "missing.json"))
    with pytest.raises(InputError, match="Is a directory"):
        list(read_transcripts(tmp_path))


def test_lines_are_read_one_by_one(tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps(MESSAGES) + "\n" + json.dumps(MESSAGES) + "\nnot json")
    runs = read_transcripts(path)
    assert next(runs).index == 0
    assert next(runs).index == 1
    with pytest.raises(InputError, match="line 3"):
        next(runs)
