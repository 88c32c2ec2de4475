"""``docs/configuration.md``: kinds, bounds and defaults from the class, words from .env.example."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from app.core.config import PROJECT_ROOT, Settings
from app.core.runtime_settings import RUNTIME_SETTINGS

EXAMPLE = PROJECT_ROOT / ".env.example"
PAGE = PROJECT_ROOT / "docs" / "configuration.md"
SECTION = re.compile(r"# --- (?P<title>.+?)(?: \(docs/\S+\))? -{3,}$")
VARIABLE = re.compile(r"#?(?P<name>[A-Z][A-Z0-9_]*)=(?P<example>.*)$")
CHANGEABLE = frozenset(setting.key for setting in RUNTIME_SETTINGS)
NAMES = re.compile(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b|(?<= )/[a-z.]+\b|^/[a-z.]+\b")
HEAD = """# Configuration

Every setting is a variable of the environment, or a line of the file `.env` in the folder that
Greenroom is started from; the environment wins. Without any, everything works in development.
Restart it after a change; what is marked can be changed [while it runs](settings.md), too.
[`python -m app doctor`](operations.md#doctor) says what is wrong with yours.

This page is made from the code (`make docs`).
"""


@dataclass(slots=True)
class Block:
    """Variables that one comment is about."""

    text: str
    names: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Section:
    """A heading of the example and its blocks, in order."""

    title: str
    blocks: list[Block] = field(default_factory=list)


def read_example(path: Path = EXAMPLE) -> list[Section]:
    """What is above the first heading is about the file itself, and left out."""
    sections: list[Section] = []
    said: list[str] = []
    for line in path.read_text().splitlines():
        if title := SECTION.match(line):
            sections.append(Section(title["title"]))
            said = []
        elif variable := VARIABLE.match(line):
            blocks = sections[-1].blocks
            if said or not blocks:
                blocks.append(Block(" ".join(said)))
            blocks[-1].names.append(variable["name"])
            said = []
        elif line.startswith("#"):
            said.append(line.lstrip("# "))
        elif not line.strip() and sections and sections[-1].blocks:
            said = []
    return sections


def bare(annotation: Any) -> Any:  # any type
    """Without ``| None`` and what ``Annotated`` adds."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return bare(get_args(annotation)[0])
    if origin in (Union, UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
        return bare(kinds[0])
    return origin or annotation


def bounds_of(info: FieldInfo) -> str:
    """``, 1 to 200``, ``, at least 1``, ``, above 0``; nothing where there are none."""
    found = {type(each): each for each in info.metadata if isinstance(each, Ge | Gt | Le | Lt)}
    low, above, high = found.get(Ge), found.get(Gt), found.get(Le)
    if isinstance(low, Ge) and isinstance(high, Le):
        return f", {low.ge:,} to {high.le:,}"
    if isinstance(low, Ge):
        return f", at least {low.ge:,}"
    if isinstance(above, Gt):
        return f", above {above.gt}"
    return f", at most {high.le:,}" if isinstance(high, Le) else ""


KINDS: dict[Any, str] = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    list: "list, comma separated",
    Path: "folder",
    SecretStr: "text, kept secret",
}


def kind_of(info: FieldInfo) -> str:
    kind = bare(info.annotation)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return "one of " + ", ".join(f"`{member.value}`" for member in kind)
    longest = next((each.max_length for each in info.metadata if isinstance(each, MaxLen)), None)
    length = f", at most {longest} characters" if longest and kind is str else ""
    return KINDS.get(kind, "text") + bounds_of(info) + length


def default_of(info: FieldInfo) -> str:
    value = info.get_default(call_default_factory=True)
    if value is None or value == [] or (isinstance(value, str | SecretStr) and not len(value)):
        return "–"
    if isinstance(value, bool):
        return f"`{value}`".lower()
    if isinstance(value, Path):
        return f"`{value.relative_to(PROJECT_ROOT)}/` beside the code"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def told(name: str) -> str:
    info = Settings.model_fields[name.lower()]
    default = default_of(info)
    words = f"**`{name}`** {kind_of(info)}" + ("" if default == "–" else f", default {default}")
    return words + (", also on `/settings`" if name.lower() in CHANGEABLE else "")


def lines_of(section: Section) -> Iterator[str]:
    yield f"## {section.title}\n"
    for block in section.blocks:
        yield "- " + ";\n  ".join(told(name) for name in block.names)
        if block.text:
            text = NAMES.sub(r"`\g<0>`", block.text)
            yield f"\n  {text[0].upper()}{text[1:]}"
        yield ""


def configuration_page() -> str:
    """The whole page as Markdown."""
    parts = [line for section in read_example() for line in lines_of(section)]
    return "\n".join([HEAD, *parts])
