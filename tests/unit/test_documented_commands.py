"""Each command that the manual shows is run by a test that is named here, and can be read."""

import ast
import importlib.util
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer
import yaml  # type: ignore[import-untyped]  # a part of uvicorn[standard] without types
from typer.testing import CliRunner

from app.cli import cli
from app.core.config import PROJECT_ROOT, Settings
from tests.documented import NO_SHELL, PAGES, Command, all_commands, languages
from tests.parsing import parsed

MANUAL = "tests/integration/test_manual_commands.py::test_commands_do_what_the_manual_says"
IMAGE = "tests/integration/serving/test_image.py::"
UNITS = "tests/unit/test_systemd_units.py::test_systemd_finds_nothing_wrong_with_the_units"
UNITS += "_or_their_commands"
HERE = "tests/unit/test_documented_commands.py::"
MOMENTS = "tests/load/point_in_time.py::main"
# By how a command begins. What no test can run whole (make installs, Compose needs an engine) is
# run in part, by the test that is named.
RUN_BY = {
    "curl": "tests/contract/test_examples.py::test_commands_of_the_manual_are_answered",
    "python -m app run": "tests/integration/test_first_run.py::test_first_run_brings_everything",
    "python -m app serve": "tests/server.py::ServerProcess",
    "python -m app worker": f"{IMAGE}test_worker_of_compose_runs_in_the_image",
    "python -m app migrate": MANUAL,
    "python -m app backup": MANUAL,
    "python -m app restore": MANUAL,
    "python -m app doctor": "tests/integration/operations/test_doctor.py"
    "::test_whole_installation_is_well",
    "python -m app retention": MANUAL,
    "python -m app audit verify": MANUAL,
    "python -m app export-user": MANUAL,
    "python -m app export-agent": MANUAL,
    "python -m app erase-user": MANUAL,
    "python -m app demo": "tests/integration/test_demo.py"
    "::test_demo_goes_without_a_trace_in_what_was_there",
    "python -m app export tools": MANUAL,
    "python -m app import tools": MANUAL,
    "python -m app import otlp-json": "tests/unit/importers/test_otlp_json.py::run",
    "python -m app import openai-messages": "tests/importing.py::imported",
    "python -m app import": f"{HERE}test_command_line_knows_the_command",
    "gunicorn": f"{IMAGE}test_server_of_the_image_is_ready_without_writing_a_file",
    "python -m tests.": f"{HERE}test_measurements_are_there",
    "make": f"{HERE}test_make_knows_the_target",
    "docker compose": f"{HERE}test_compose_has_the_services_and_they_know_the_commands",
    "useradd": UNITS,
    "cp deploy/": UNITS,
    "install": UNITS,
    "systemctl": UNITS,
    "systemd-run": f"{HERE}test_command_line_knows_the_command",
    "pg_basebackup": MOMENTS,
    "pg_ctl": MOMENTS,
    "cp -a": MOMENTS,
    "chmod": MOMENTS,
    "echo": MOMENTS,
    "touch": MOMENTS,
    "export GREENROOM": "tests/contract/test_examples.py::test_commands_of_the_manual_are_answered",
    "export OTEL_": "tests/integration/pages/test_connect_snippets.py"
    "::test_snippet_brings_a_run_as_it_stands_on_the_page",
    "DATABASE_URL=": f"{HERE}test_alembic_is_there_for_the_next_migration",
}
SETTINGS = {name.upper() for name in Settings.model_fields}
COMMANDS = all_commands()
COMPOSE = yaml.safe_load((PROJECT_ROOT / "docker-compose.yml").read_text())


def named(command: Command) -> str | None:
    """The longest beginning that is listed; ``None`` for one that nobody runs."""
    beginnings = [name for name in RUN_BY if command.plain.startswith(name)]
    return max(beginnings, key=len, default=None)


def is_setting(command: Command) -> bool:
    """A line for ``.env``, and nothing to be run."""
    return all(word.partition("=")[0] in SETTINGS for word in command.words)


def texts(name: str) -> list[list[str]]:
    """The distinct commands that begin so, without the folder of the environment."""
    found = {command.plain: command for command in COMMANDS if named(command) == name}
    return [list(command.words) for command in found.values()]


def ids(words: list[str]) -> str:
    return " ".join(words)[:60]


def application_words(command: Command) -> list[str]:
    """What follows ``python -m app``, in whichever container; nothing for another command."""
    _, found, words = f" {command.text}".partition("python -m app ")
    return shlex.split(words.replace("\\\n", " "), comments=True) if found else []


def application_commands() -> list[list[str]]:
    found = {" ".join(words): words for each in COMMANDS if (words := application_words(each))}
    return list(found.values())


def test_every_command_of_the_manual_is_run_by_somebody() -> None:
    unknown = [
        f"{command.page}: {command.text}"
        for command in COMMANDS
        if named(command) is None and not is_setting(command)
    ]
    assert not unknown, "Say in RUN_BY which test runs it."


def test_nothing_is_listed_that_no_page_shows() -> None:
    assert {name for command in COMMANDS if (name := named(command))} == RUN_BY.keys()


def test_no_block_of_commands_is_overlooked() -> None:
    assert languages() <= NO_SHELL | {"sh"}
    assert {command.page for command in COMMANDS} >= {"README.md", "deployment.md", "backup.md"}
    assert len(PAGES) > 20


@pytest.mark.parametrize("where", sorted(set(RUN_BY.values())))
def test_who_runs_them_is_there(where: str) -> None:
    path, _, name = where.partition("::")
    tree = parsed((PROJECT_ROOT / path).read_text())
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    assert name in {node.name for node in tree.body if isinstance(node, kinds)}


@pytest.mark.parametrize("words", application_commands(), ids=ids)
def test_command_line_knows_the_command(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read to its end and refused for nothing: arguments, options, and who is asked."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GREENROOM_URL", "http://127.0.0.1:8000")
    monkeypatch.setenv("GREENROOM_API_KEY", "gr_key")
    if all(word.replace("-", "").isalpha() for word in words):  # named, without arguments
        assert CliRunner().invoke(cli, [*words, "--help"]).exit_code == 0
        return
    command, rest, parent = typer.main.get_command(cli), words, None
    while hasattr(command, "resolve_command"):  # a group
        parent = command.make_context(command.name, files_made(rest), parent=parent)
        left = [*parent._protected_args, *parent.args]
        _, command, rest = command.resolve_command(parent, left)
    command.make_context(command.name, files_made(rest), parent=parent)


def files_made(words: list[str]) -> list[str]:
    """The same, with the files there that are to be read."""
    for word in words:
        if re.fullmatch(r"[\w*-]+\.(json|jsonl|jsonl\.gz)", word):
            Path(word).touch()
    return list(words)


@pytest.mark.parametrize("words", texts("make"), ids=ids)
def test_make_knows_the_target(words: list[str]) -> None:
    """Every step of it is told; none is done, for it would install packages."""
    told = subprocess.run(
        ["make", "-n", *words[1:]], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout


@pytest.mark.parametrize("words", texts("python -m tests."), ids=ids)
def test_measurements_are_there(words: list[str]) -> None:
    assert importlib.util.find_spec(words[2]) is not None
    path = PROJECT_ROOT / Path(*words[2].split("."))
    file = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
    said = file.read_text()
    assert '__name__ == "__main__"' in said
    options = [word for word in words[3:] if word.startswith("--") and word != "--help"]
    assert all(option.removeprefix("--") in said for option in options)


@pytest.mark.parametrize("words", texts("docker compose"), ids=ids)
def test_compose_has_the_services_and_they_know_the_commands(words: list[str]) -> None:
    """No engine is needed to see that each word is one; its commands are read with the others."""
    verb, *rest = words[2:]
    options = {"up": {"-d", "--build", "--no-deps", "--wait"}, "build": set(), "run": {"--rm"}}
    if "--volume" in rest:
        place = rest.index("--volume")
        assert re.fullmatch(r"\$PWD/\w+:(/\w+)", rest[place + 1])
        del rest[place : place + 2]
    given = {word for word in rest if word.startswith("-")}
    plain = [word for word in rest if not word.startswith("-")]
    if verb == "run" and len(plain) > 1:
        assert plain[1] == "python"
        given, plain = given - {"-m"}, plain[:1]
    assert given <= options[verb]
    assert set(plain) <= set(COMPOSE["services"])


def test_alembic_is_there_for_the_next_migration() -> None:
    [words] = texts("DATABASE_URL=")
    assert words[0].partition("=")[0] in SETTINGS
    assert shutil.which(str(PROJECT_ROOT / words[1]))
    said = subprocess.run(
        [PROJECT_ROOT / words[1], *words[2:4], "--help"], capture_output=True, text=True, check=True
    )
    assert "--message" in said.stdout


def test_commands_are_told_apart_as_a_shell_would() -> None:
    found = [command.plain for command in COMMANDS if command.page == "deployment.md"]
    assert "docker compose build" in found
    assert "docker compose run --rm migrate" in found
    [report] = [c for c in COMMANDS if "external_id" in c.text and c.page == "README.md"]
    assert report.words[-2] == "-d"
