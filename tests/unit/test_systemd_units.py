"""systemd reads the units without a complaint where the manual puts them, and gives few rights."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.config import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "deployment.md"
HOSTS_UNITS = Path("/usr/lib/systemd/system")
MOST_EXPOSED = 15  # of 100, by systemd's own count
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is not here"
)


def copying() -> list[str]:
    """The commands of the page that put files where they belong."""
    section = PAGE.read_text().split("## With systemd and nginx")[1]
    block = section.split("```sh\n")[1].split("```")[0]
    return [line for line in block.splitlines() if line.startswith(("cp ", "install "))]


def install(root: Path) -> None:
    """As the page says, into another root; of the environment, the commands alone."""
    for folder in ("etc/systemd/system", "etc/nginx/conf.d", "opt/greenroom/.venv/bin"):
        (root / folder).mkdir(parents=True)
    for command in copying():
        elsewhere = re.sub(r" /etc", f" {root}/etc", command)
        subprocess.run(["sh", "-c", elsewhere], cwd=PROJECT_ROOT, check=True)
    for command in ("gunicorn", "python"):
        shutil.copy(Path(sys.prefix) / "bin" / command, root / "opt/greenroom/.venv/bin")
    shutil.copytree(HOSTS_UNITS, root / "lib/systemd/system", symlinks=True)


def analyzed(*arguments: str) -> str:
    """What it complains of."""
    said = subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stderr


def enabled() -> list[str]:
    """The units that the page enables."""
    [line] = re.findall(r"^systemctl enable --now (.+)$", PAGE.read_text(), re.MULTILINE)
    return str(line).split()


def wanted() -> list[str]:
    """The units that come with the target."""
    target = (PROJECT_ROOT / "deploy" / "systemd" / "greenroom.target").read_text()
    [line] = re.findall(r"^Wants=(.+)$", target, re.MULTILINE)
    return str(line).split()


@needs_systemd
def test_systemd_finds_nothing_wrong_with_the_units_or_their_commands(tmp_path: Path) -> None:
    install(tmp_path)
    units = [*wanted(), "greenroom.target"]
    assert analyzed("verify", f"--root={tmp_path}", "--man=no", *units) == ""


@needs_systemd
def test_what_the_page_enables_starts_with_the_machine(tmp_path: Path) -> None:
    install(tmp_path)
    subprocess.run(["systemctl", f"--root={tmp_path}", "enable", *enabled()], check=True)
    at_start = tmp_path / "etc/systemd/system/multi-user.target.wants"
    assert [link.name for link in at_start.glob("greenroom*")] == ["greenroom.target"]


@needs_systemd
@pytest.mark.parametrize("name", ["greenroom-web@.service", "greenroom-worker.service"])
def test_units_are_as_closed_as_they_were(name: str) -> None:
    unit = PROJECT_ROOT / "deploy" / "systemd" / name
    analyzed("security", "--offline=true", f"--threshold={MOST_EXPOSED}", "--no-pager", str(unit))


def test_target_starts_a_worker_and_web_processes_behind_the_ports_of_nginx() -> None:
    assert "greenroom-worker.service" in wanted()
    nginx = (PROJECT_ROOT / "deploy" / "nginx" / "greenroom.conf").read_text()
    ports = set(re.findall(r"server 127\.0\.0\.1:(\d+)", nginx))
    assert {unit.partition("@")[2].split(".")[0] for unit in wanted() if "@" in unit} == ports
