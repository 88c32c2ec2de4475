"""The product in a process of its own, for tests that need a real socket or a real crash."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import httpx2

from app.core.config import PROJECT_ROOT

SECRET = "a-secret-for-tests-only-0123456789abcdef"
READY_WITHIN_S = 60
STOPPED_WITHIN_S = 20
# What of this process a server may see: nothing that would configure it.
PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")


def free_port() -> int:
    """A loopback port that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def clean_environment(**values: str) -> dict[str, str]:
    """The environment of a subprocess: ours, with nothing inherited that configures it."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return kept | {"PYTHONPATH": str(PROJECT_ROOT)} | values


class ServerProcess:
    """``python -m app serve`` over a migrated database, on a loopback port that stays the same.

    ``folder`` is the working directory (so that no ``.env`` of a developer is read) and gets
    ``server.log``. Further settings are given as environment variables.
    """

    def __init__(self, database_url: str, folder: Path, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "server.log"
        self._folder = folder
        self._environment = clean_environment(
            DATABASE_URL=database_url, SECRET_KEY=SECRET, **environment
        )
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Return once it is ready. Raise ``RuntimeError`` with its last words when it is not."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app", "serve", "--port", str(self.port)],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self._wait_ready(self._process)
        except BaseException:
            self.kill()
            raise

    def _wait_ready(self, process: subprocess.Popen[bytes]) -> None:
        give_up_at = time.monotonic() + READY_WITHIN_S
        with httpx2.Client(base_url=self.url, timeout=5, trust_env=False) as client:
            while time.monotonic() < give_up_at:
                if process.poll() is not None:
                    raise RuntimeError(f"The server ended at start:\n{self.last_words()}")
                try:
                    if client.get("/health/ready").status_code == 200:
                        return
                except httpx2.TransportError:
                    pass
                time.sleep(0.05)
        raise RuntimeError(f"The server is not ready:\n{self.last_words()}")

    def kill(self) -> None:
        """SIGKILL, as a crash or a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL when that does not help in time."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]
