"""The commands that README.md and the pages of docs/ show, one by one."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.core.config import PROJECT_ROOT

PAGES = [PROJECT_ROOT / "README.md", *sorted((PROJECT_ROOT / "docs").glob("*.md"))]
OTHERS = [PROJECT_ROOT / "CONTRIBUTING.md", PROJECT_ROOT / "SECURITY.md"]
BLOCK = re.compile(r"^```(?:sh|bash|shell|console)\n(.*?)^```", re.DOTALL | re.MULTILINE)
ANY_BLOCK = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`((?:\.venv/bin/)?python -m [^`]+|make [a-z-]+|gunicorn [^`]+)`")
NO_SHELL = {"json", "text", "ini", "yaml", "http", "python", ""}


@dataclass(frozen=True, slots=True)
class Command:
    """As it is written on a page, and its words as a shell takes them."""

    page: str
    text: str
    words: tuple[str, ...]

    @property
    def plain(self) -> str:
        """Without the folder of the virtual environment."""
        return " ".join(self.words).removeprefix(".venv/bin/")


def in_block(script: str) -> Iterator[str]:
    """One command after the other; a quotation or a backslash goes on in the next line."""
    waiting = ""
    for line in script.splitlines():
        waiting += f"{line}\n"
        if line.endswith("\\") or not waiting.strip():
            continue
        try:
            shlex.split(waiting, comments=True)
        except ValueError:
            continue  # a quotation is open
        yield waiting
        waiting = ""
    if waiting.strip():
        raise ValueError(f"A quotation does not end: {waiting}")


def apart(page: Path, text: str) -> Iterator[Command]:
    """What ``&&`` joins are commands of their own."""
    for part in text.replace("\\\n", " ").split(" && "):
        words = tuple(shlex.split(part, comments=True))
        if words:
            yield Command(page.name, part.strip(), words)


def commands_of(page: Path) -> Iterator[Command]:
    said = page.read_text()
    for script in BLOCK.findall(said):
        for text in in_block(script):
            yield from apart(page, text)
    for text in INLINE.findall(ANY_BLOCK.sub("", said)):
        yield from apart(page, text)


def all_commands() -> list[Command]:
    return [command for page in (*PAGES, *OTHERS) for command in commands_of(page)]


def languages() -> set[str]:
    """Of all blocks."""
    fences = re.compile(r"^```(\w*)\n.*?^```", re.DOTALL | re.MULTILINE)
    return {name for page in (*PAGES, *OTHERS) for name in fences.findall(page.read_text())}
