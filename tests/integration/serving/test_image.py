"""What the image has in it is enough, for its user, who may write nothing there."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx2
import pytest
import yaml  # type: ignore[import-untyped]  # a part of uvicorn[standard] without types

from app.core.config import PROJECT_ROOT
from app.core.database import Database
from app.core.embedded_postgres import EmbeddedPostgres
from tests.gate import Gate
from tests.image import Image, built
from tests.server import SECRET, free_port

WITHIN_S = 300  # Python reads everything anew here, which takes a busy machine its time
COMPOSE = yaml.safe_load((PROJECT_ROOT / "docker-compose.yml").read_text())


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    with built() as image:
        yield image


@pytest.fixture
def database_url(own_database: Database, postgres: EmbeddedPostgres) -> Iterator[str]:
    """By a port: the folder of its socket is closed to others, whom the image runs as."""
    socket = Path(postgres.socket_folder) / ".s.PGSQL.5432"
    with Gate(socket) as gate:
        name = own_database.engine.url.database
        yield f"postgresql+asyncpg://postgres@127.0.0.1:{gate.port}/{name}"


def settings_of(database_url: str, port: int) -> dict[str, str]:
    """Those of production, on loopback."""
    return {
        "DATABASE_URL": database_url,
        "SECRET_KEY": SECRET,
        "PUBLIC_ORIGIN": "https://greenroom.example.com",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "SHUTDOWN_DRAIN_S": "0",
    }


def until(process: subprocess.Popen[str], is_so: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + WITHIN_S
    while not is_so():
        if process.poll() is not None or time.monotonic() > give_up_at:
            os.killpg(process.pid, signal.SIGKILL)
            raise AssertionError(process.communicate()[0][-4000:])
        time.sleep(0.1)


def end(process: subprocess.Popen[str]) -> str:
    """Told so a moment after it says that it runs, a worker may not even have begun to listen."""
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=WITHIN_S)
    assert process.returncode in (0, -signal.SIGTERM), said
    return said


def is_ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/health/ready", timeout=5, trust_env=False).is_success
    except httpx2.TransportError:
        return False


def run(image: Image, settings: Mapping[str, str], *command: str) -> str:
    """To its end, which must be a good one."""
    process = image.start(settings, *command)
    said, _ = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 0, said
    return said


def check_rights(image: Image, pid: int) -> None:
    """Where root starts it, a process is the image's user, in no other group, and may no more."""
    if os.geteuid() != 0:
        return
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    said = dict(line.split(":", 1) for line in lines)
    user, group = image.user.split(":")
    assert set(said["Uid"].split()) == {user} != {"0"}
    assert set(said["Gid"].split()) == {group}
    assert said["Groups"].split() == []
    assert int(said["CapEff"], 16) == int(said["CapBnd"], 16) == 0


def files_in(image: Image) -> set[Path]:
    return set(image.root.rglob("*"))


async def test_server_of_the_image_is_ready_without_writing_a_file(
    image: Image, database_url: str
) -> None:
    before = files_in(image)
    settings = settings_of(database_url, free_port())
    server = image.start(settings)
    url = f"http://127.0.0.1:{settings['PORT']}"
    until(server, lambda: is_ready(url))
    run(image, settings, *image.health)
    check_rights(image, server.pid)
    with httpx2.Client(base_url=url, trust_env=False, timeout=WITHIN_S) as client:
        statuses = {
            path: client.get(path, headers={"Host": "greenroom.example.com"}).status_code
            for path in ("/health/ready", "/login", "/static/css/greenroom.css")
        }
    end(server)
    assert set(statuses.values()) == {200}, statuses
    assert files_in(image) == before


async def test_worker_of_compose_runs_in_the_image(image: Image, database_url: str) -> None:
    settings = settings_of(database_url, free_port())
    process = image.start(settings, *COMPOSE["services"]["worker"]["command"])
    assert process.stdout is not None
    if "✓" not in (line := process.stdout.readline()):
        raise AssertionError(line + process.communicate(timeout=WITHIN_S)[0])
    check_rights(image, process.pid)
    end(process)


async def test_migrations_of_compose_run_in_the_image(image: Image, database_url: str) -> None:
    settings = settings_of(database_url, free_port()) | {"MIGRATION_DATABASE_URL": database_url}
    run(image, settings, *COMPOSE["services"]["migrate"]["command"])


def test_user_of_the_image_may_write_into_its_tmp_alone(image: Image) -> None:
    found = run(image, {}, "find", str(image.root), "-writable", "!", "-type", "l")
    assert found.split() == [str(image.temporary)]
