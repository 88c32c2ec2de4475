"""A virtual environment that anybody may use, with the pinned packages and no others.

Nothing is installed: it has what the environment has that runs this, by symbolic links where
others may follow them. From folders that are closed to them, as the home of root is, files are
linked one by one, or copied from another disk.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from tests.server import clean_environment

PROGRAM = f"bin/python{sys.version_info.major}.{sys.version_info.minor}"
NOT_NEEDED = ("site-packages", "test", "pkgconfig", "config-*")  # of Python's library
READ, ENTER = 0o004, 0o001  # the rights of others


def is_open(path: Path) -> bool:
    others = [folder.stat().st_mode & ENTER for folder in path.parents]
    return all(others) and bool(path.stat().st_mode & READ)


def share(source: Path, target: Path, *left_out: str) -> None:
    """What is there already was shared with another package."""
    if target.is_symlink() or target.exists():
        return
    if is_open(source.resolve()):
        target.symlink_to(source.resolve())
    elif source.is_dir():
        ignore = shutil.ignore_patterns(*left_out)
        shutil.copytree(source, target, symlinks=True, ignore=ignore, copy_function=link)
        open_folders(target)
    else:
        link(source, target)


def link(source: str | Path, target: str | Path) -> None:
    """Takes no room; a copy does, where it must be."""
    mode = Path(source).stat().st_mode
    if mode & READ:
        with suppress(OSError):
            return os.link(source, target)
    shutil.copy2(source, target)
    return Path(target).chmod(0o555 if mode & 0o100 else 0o444)


def open_folders(root: Path) -> None:
    """Others may look in, and whoever owns them may clear them away."""
    for path in [root, *root.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)


def python_for_everybody(place: Path) -> Path:
    """That which environments are made of, where others may reach it; else shared at a place."""
    base = Path(sys.base_prefix).resolve()
    if is_open(base / PROGRAM):
        return base
    (place / "bin").mkdir(parents=True)
    for name in (PROGRAM, "lib"):
        share(base / name, place / name, *NOT_NEEDED)
    return place


def make_environment(place: Path) -> None:
    """Without a package. Its Python may be beside it, in ``python``."""
    program = python_for_everybody(place.with_name("python")) / PROGRAM
    command = [str(program), "-m", "venv", "--without-pip", str(place)]
    subprocess.run(command, check=True, env=clean_environment(PYTHONPATH=""))


def add_packages(place: Path, names: Iterable[str]) -> None:
    """Those of them that are here: some are for other platforms only."""
    for name in names:
        with suppress(PackageNotFoundError):
            add_package(place, distribution(name))


def add_package(place: Path, package: Distribution) -> None:
    library = Path(sysconfig.get_path("purelib", "venv", {"base": str(place)}))
    files = package.files or []
    for name in {file.parts[0] for file in files} - {".."}:
        share(Path(str(package.locate_file(name))), library / name)
    for file in files:
        if file.parts[0] == ".." and file.parent.name == "bin":
            add_script(Path(str(file.locate())), place)


def add_script(source: Path, place: Path) -> None:
    """Begins with the Python that runs it: that of this environment."""
    _, _, script = source.read_text().partition("\n")
    target = place / "bin" / source.name
    target.write_text(f"#!{place}/bin/python\n{script}")
    target.chmod(0o755)
