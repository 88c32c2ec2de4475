"""``python -m tests.image``: what the Dockerfile makes, in a plain folder, with no engine.

The steps are read from the Dockerfile and done one after the other. Two are not: the base image is
the Python that runs this, and instead of installing packages those of its environment are shared,
if they are the pinned ones. What runs there may write into /tmp alone, as compose and Kubernetes
have it, and runs as the image's user where this is root; otherwise as whoever starts it.
"""

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.console import Console

from app.core.config import PROJECT_ROOT
from tests.linked_environment import add_packages, make_environment, open_folders
from tests.server import clean_environment
from tests.supply_chain.parts import pins

console = Console()
ENVIRONMENT = "/opt/greenroom"
OPTIONS = re.compile(r"--[a-z-]+=\S+ *")
Step = tuple[str, str]


def stages(dockerfile: str) -> list[list[Step]]:
    """The instructions of each stage, by name and what is said after it."""
    found: list[list[Step]] = []
    for line in dockerfile.replace("\\\n", " ").splitlines():
        name, _, said = line.partition(" ")
        if name == "FROM":
            found.append([])
        elif name.isupper():
            found[-1].append((name, said))
    return found


def pinned_packages() -> list[str]:
    """Their names. Raises what is wrong where this environment has other versions of them."""
    pinned: dict[str, set[str]] = {}
    for pin in pins(PROJECT_ROOT / "requirements.txt"):
        pinned.setdefault(pin.name, set()).add(pin.version)  # several, for versions of Python
    others = [name for name, versions in pinned.items() if installed(name) not in {None, *versions}]
    if others:
        raise RuntimeError(f"This environment is not the pinned one: {', '.join(others)}")
    return list(pinned)


def installed(name: str) -> str | None:
    """Its version; ``None`` also for what another platform needs."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def left_out(_: str, names: list[str]) -> set[str]:
    """What .dockerignore keeps from the builder, of what is in a folder that it lets in."""
    rules = (PROJECT_ROOT / ".dockerignore").read_text().splitlines()
    patterns = [rule.removeprefix("**/") for rule in rules if rule.startswith("**/")]
    return {name for name in names for pattern in patterns if fnmatch.fnmatch(name, pattern)}


@dataclass(slots=True)
class Image:
    """What is in it, and how it wants to be run."""

    root: Path
    folder: Path = Path()
    environment: dict[str, str] = field(default_factory=dict)
    user: str = "0:0"
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)

    def inside(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    @property
    def shared(self) -> Path:
        """The folder of all stages, and of what has links to files that are not ours to change."""
        return self.root.parent

    @property
    def temporary(self) -> Path:
        return self.root / "tmp"

    def take(self, step: Step, before: "Image | None") -> None:
        """Do one step. ``before`` is the stage that files may be copied from."""
        name, said = step
        match name:
            case "WORKDIR":
                self.folder = self.inside(said)
                self.folder.mkdir(parents=True, exist_ok=True)
            case "ENV":
                given = dict(pair.split("=", 1) for pair in shlex.split(said))
                self.environment |= given
            case "COPY":
                self.copy(said, before)
            case "RUN":
                self.run_step(said)
            case "USER":
                self.user = said
            case "CMD":
                self.command = json.loads(said)
            case "HEALTHCHECK":
                self.health = json.loads(OPTIONS.sub("", said).removeprefix("CMD "))

    def copy(self, said: str, before: "Image | None") -> None:
        *sources, target = OPTIONS.sub("", said).split()
        for source in sources:
            given = before.inside(source) if before and "--from=" in said else PROJECT_ROOT / source
            place = self.inside(target) if target.startswith("/") else self.folder / target
            if given.is_symlink():
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(given.readlink())
            elif given.is_dir():
                ignore = None if before else left_out
                shutil.copytree(given, place, ignore=ignore, dirs_exist_ok=True)
            else:
                shutil.copy(given, place)

    def run_step(self, said: str) -> None:
        if said == f"python -m venv {ENVIRONMENT}":
            place = self.inside(ENVIRONMENT)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(self.shared / "environment")
            make_environment(place.readlink())
        elif "pip install" in said:
            add_packages(self.shared / "environment", pinned_packages())
        elif said.startswith("useradd "):
            [home] = re.findall(r"--home-dir (\S+)", said)
            self.inside(home).mkdir(parents=True)
        else:
            # The packages of this environment are compiled already, and not ours to write to.
            words = shlex.split(said.replace(f" {ENVIRONMENT}/lib", ""))
            words[0] = words[0].replace(ENVIRONMENT, str(self.inside(ENVIRONMENT)))
            subprocess.run(words, cwd=self.folder, check=True, env=clean_environment(PYTHONPATH=""))

    def close(self) -> None:
        """As it will be found: nobody may write but into its /tmp."""
        self.temporary.mkdir()
        for path in [self.root, *self.root.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444)
        self.temporary.chmod(0o1777)

    def as_user(self) -> list[str]:
        """With no right that others do not have, and no way to get one."""
        if os.geteuid() != 0:
            return []
        user, group = self.user.split(":")
        nothing = ["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--clear-groups"]
        return ["setpriv", *nothing, f"--reuid={user}", f"--regid={group}"]

    def environment_with(self, settings: Mapping[str, str]) -> dict[str, str]:
        path = os.environ["PATH"]
        own = {
            name: value.replace("$PATH", path).replace(ENVIRONMENT, str(self.inside(ENVIRONMENT)))
            for name, value in self.environment.items()
        }
        home = str(self.inside(own["DATA_DIR"]))
        places = {"DATA_DIR": home, "HOME": home, "TMPDIR": str(self.temporary)}
        # Where Python is shared, its library is too, but it looks for it where it was built.
        return own | places | {"LD_LIBRARY_PATH": str(self.shared / "python/lib")} | dict(settings)

    def start(self, settings: Mapping[str, str], *command: str) -> subprocess.Popen[str]:
        """The command of the image, or another, in it; what it says is in ``stdout``."""
        return subprocess.Popen(
            [*self.as_user(), *(command or self.command)],
            cwd=self.folder,
            env=self.environment_with(settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


def build(folder: Path) -> Image:
    """The last stage, of which the others are a part only where it copies from them."""
    made: Image | None = None
    for number, stage in enumerate(stages((PROJECT_ROOT / "Dockerfile").read_text())):
        image = Image(folder / f"stage-{number}")
        image.root.mkdir()
        for step in stage:
            image.take(step, made)
        made = image
    if made is None:
        raise RuntimeError("The Dockerfile has no stage.")
    made.close()
    return made


@contextmanager
def built() -> Iterator[Image]:
    """In a folder that everyone may look into, as in a container."""
    with tempfile.TemporaryDirectory(prefix="image-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        image = build(folder)
        try:
            yield image
        finally:
            open_folders(image.root)


def main() -> None:
    """Make it, and say what is in it."""
    with built() as image:
        files = [path for path in image.root.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
        console.print(f"{len(files)} files, {size / 1e6:.1f} MB, as {image.user}: {image.command}")


if __name__ == "__main__":
    main()
