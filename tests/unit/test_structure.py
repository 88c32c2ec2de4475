"""The shape of the code: one stem a resource in every layer, and the limits we set ourselves."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from app.core.config import PROJECT_ROOT
from tests.parsing import parsed

RESOURCES = (
    "agents",
    "tools",
    "executions",
    "jobs",
    "bulk_changes",
    "api_keys",
    "model_prices",
    "webhook_endpoints",
    "saved_views",
)
ROOMS = ("models", "schemas", "services", "api/v1", "pages", "admin")
MAX_FUNCTION_LINES, MAX_FILE_LINES = 40, 400
MAY_COMMIT = {"app/core/database.py", "app/core/migrations.py"}
# Spelled apart, or this file would find itself.
UNFINISHED = re.compile("|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]))


def tracked() -> list[Path]:
    """The files of the repository, new ones included."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [p for line in listed.stdout.splitlines() if (p := PROJECT_ROOT / line).is_file()]


def ours(*suffixes: str) -> list[Path]:
    return [p for p in tracked() if p.suffix in suffixes and "vendor" not in p.parts]


def name_of(path: Path) -> str:
    return path.relative_to(PROJECT_ROOT).as_posix()


@pytest.mark.parametrize("resource", RESOURCES)
def test_resource_has_its_room_in_every_layer(resource: str) -> None:
    wanted = [f"app/{room}/{resource}.py" for room in ROOMS]
    wanted.append(f"tests/factories/{resource}.py")
    missing = [path for path in wanted if not (PROJECT_ROOT / path).exists()]
    assert not missing


def test_only_the_database_module_commits() -> None:
    commits = {name_of(p) for p in ours(".py") if "app" in p.parts and ".commit()" in p.read_text()}
    assert commits <= MAY_COMMIT


def test_functions_and_files_stay_small() -> None:
    large = []
    for path in ours(".py"):
        if "versions" in path.parts:
            continue
        text = path.read_text()
        if text.count("\n") > MAX_FILE_LINES:
            large.append(name_of(path))
        for node in ast.walk(parsed(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    large.append(f"{name_of(path)}:{node.name} {lines}")
    assert not large


def test_nothing_is_left_unfinished() -> None:
    found = [
        name_of(p)
        for p in ours(".py", ".html", ".js", ".css", ".md", ".toml")
        if UNFINISHED.search(p.read_text())
    ]
    assert not found


def test_no_page_polls() -> None:
    """Rooms say when there is something to fetch."""
    polling = [name_of(p) for p in ours(".html") if 'hx-trigger="every' in p.read_text()]
    assert not polling


def test_no_page_carries_inline_script_or_style() -> None:
    inline = re.compile(r"<script>|<style|\sstyle=|\son[a-z]+=|hx-on|javascript:")
    found = [name_of(p) for p in ours(".html") if inline.search(p.read_text())]
    assert not found
