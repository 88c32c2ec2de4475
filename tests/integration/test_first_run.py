"""``python -m app run`` in an empty folder: all that ``make run`` starts, and its end."""

import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.launching import Launched
from tests.server import clean_environment, free_port

WITHIN_S = 300


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """In which there is nothing, not even a database."""
    return tmp_path


@pytest.fixture
def started(folder: Path) -> Iterator[Launched]:
    environment = clean_environment(DATA_DIR=str(folder / "data"), COLUMNS="200")
    arguments = ["run", "--port", str(free_port())]
    process = Launched(arguments, folder, environment, folder / "run.log")
    yield process
    process.kill()
    process.wait()


def said(process: Launched, log: Path, pattern: str) -> str:
    """The first thing of this kind that it tells."""
    give_up_at = time.monotonic() + WITHIN_S
    while time.monotonic() < give_up_at and process.poll() is None:
        if found := re.search(pattern, log.read_text()):
            return found[1]
        time.sleep(0.05)
    raise AssertionError(log.read_text()[-4000:])


def test_first_run_brings_everything(folder: Path, started: Launched) -> None:
    log = folder / "run.log"
    password = said(started, log, r"Password +(\S+)")
    email = said(started, log, r"Log in as +(\S+)")
    url = said(started, log, r"Greenroom is at (\S+)")
    said(started, log, r"(startup complete)")
    headers = {"Sec-Fetch-Site": "same-origin"}
    with httpx2.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as client:
        assert client.get("/health/ready").json()["status"] == "ok"
        came_in = client.post("/login", data={"email": email, "password": password})
        assert came_in.status_code == 303
        assert client.get("/").status_code == 200
    started.send_signal(signal.SIGINT)
    assert started.wait(WITHIN_S) == 0
    assert not list((folder / "data").rglob("postmaster.pid")), "its PostgreSQL goes with it"
