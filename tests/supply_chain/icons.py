"""``python -m tests.supply_chain.icons FOLDER``: the icon font, cut down to what our code may show.

FOLDER is ``dist`` of the npm package @tabler/icons-webfont. All of its 5,000 icons are half a
megabyte, most of what a first look at a page weighs. A name that stands in the code in quotes is
kept though it may be something else: names of icons are put together in many places.

It needs fonttools[woff], which nothing else does: install it where nothing else is, and name that
Python in FONTTOOLS_PYTHON. With its brotli about, other libraries would write otherwise in tests
than where the product runs.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from app.core.config import PROJECT_ROOT
from tests.supply_chain.parts import VENDOR, checksum

NAME = "@tabler/icons-webfont"
STYLES, FONT = "tabler-icons.min.css", "fonts/tabler-icons.woff2"
SOURCES = ("app/**/*.py", "templates/**/*.html", "static/js/*.js")
RULE = re.compile(r"\.ti-([a-z0-9-]+):before\{content:\"\\([0-9a-f]+)\"\}")
SOURCE = re.compile(r"src:url[^}]*\}")
NAMED = re.compile(r"\bti ti-([a-z0-9-]+)(?=[\"'\s])")  # an icon for sure
WRITTEN = re.compile(r"""["']([a-z0-9-]+)["']|\bti-([a-z0-9-]+)(?=["'\s])""")
COMPOSED = re.compile(r"\bti-([a-z0-9-]+-)\{\{")  # as in ``ti-arrow-{{ "up" if … }}``
ENDINGS = ("up", "down")


def code() -> Iterator[str]:
    for pattern in SOURCES:
        for file in PROJECT_ROOT.glob(pattern):
            yield file.read_text()


def named_in(texts: Iterable[str]) -> set[str]:
    """What may be an icon's name."""
    found: set[str] = set()
    for text in texts:
        found.update(quoted or plain for quoted, plain in WRITTEN.findall(text))
        found.update(start + end for start in COMPOSED.findall(text) for end in ENDINGS)
    return found


def cut_styles(styles: str, names: set[str], font: Path) -> str:
    """Only the rules of these icons, and the font by its content: browsers keep it for a year."""
    digest = hashlib.sha256(font.read_bytes()).hexdigest()[:12]
    source = f'src:url("./{FONT}?{digest}") format("woff2")}}'
    shared = SOURCE.sub(source, styles, count=1)
    return RULE.sub(lambda rule: rule[0] if rule[1] in names else "", shared)


def cut_font(font: Path, codes: Iterable[str], target: Path) -> None:
    python = os.environ.get("FONTTOOLS_PYTHON", sys.executable)
    subset = [python, "-m", "fontTools.subset", str(font), f"--unicodes={','.join(codes)}"]
    subprocess.run([*subset, "--flavor=woff2", f"--output-file={target}"], check=True)


def keep_checksums() -> None:
    listed = json.loads((VENDOR / "VENDOR.json").read_text())
    entry = next(each for each in listed if each["name"] == NAME)
    entry["files"] = {path: checksum(VENDOR / path) for path in entry["files"]}
    (VENDOR / "VENDOR.json").write_text(json.dumps(listed, indent=2, ensure_ascii=False) + "\n")


def vendored_folder() -> Path:
    (folder,) = VENDOR.glob("tabler-icons-*")
    return folder


def main() -> None:
    package, ours = Path(sys.argv[1]), vendored_folder()
    styles = (package / STYLES).read_text()
    names = named_in(code())
    codes = [code for name, code in RULE.findall(styles) if name in names]
    cut_font(package / FONT, codes, ours / FONT)
    (ours / STYLES).write_text(cut_styles(styles, names, ours / FONT))
    keep_checksums()
    print(f"{len(codes)} icons, {(ours / FONT).stat().st_size:,} bytes")  # noqa: T201


if __name__ == "__main__":
    main()
