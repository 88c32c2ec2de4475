"""The product in a process of its own, for tests that need a real socket or a real crash."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx2

from app.api.deps import PLAIN_COOKIE
from app.core.config import PROJECT_ROOT
from app.core.database import Database
from app.core.permissions import Role
from app.core.security import Signer
from tests.factories.api_keys import make_api_key
from tests.factories.users import make_session_token, make_user
from tests.launching import Launched

SECRET = "a-secret-for-tests-only-0123456789abcdef"
READY_WITHIN_S = 60
# Tests send more than a client should; the limits have tests of their own.
UNLIMITED = {
    f"RATE_LIMIT_{kind}_PER_MINUTE": "1000000"
    for kind in ("READ", "WRITE", "REPORT", "EXPORT", "REFUSED")
}
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
            DATABASE_URL=database_url, SECRET_KEY=SECRET, **(UNLIMITED | environment)
        )
        self._process: Launched | subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Of the process that runs. Raise ``RuntimeError`` when none does."""
        if self._process is None:
            raise RuntimeError("The server does not run.")
        return self._process.pid

    def launch(self) -> Launched | subprocess.Popen[bytes]:
        arguments = ["serve", "--port", str(self.port)]
        return Launched(arguments, self._folder, self._environment, self.log)

    def started(self, *command: str) -> subprocess.Popen[bytes]:
        """Another command in its place."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def start(self) -> None:
        """Return once it is ready. Raise ``RuntimeError`` with its last words when it is not."""
        self._process = self.launch()
        try:
            self._wait_ready(self._process)
        except BaseException:
            self.kill()
            raise

    def _wait_ready(self, process: Launched | subprocess.Popen[bytes]) -> None:
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


@dataclass(frozen=True, slots=True)
class Installation:
    """A running server over a database, and the ways of one superuser into it."""

    server: ServerProcess
    database: Database
    folder: Path
    api_key: str
    session_token: str

    def api_client(self) -> httpx2.AsyncClient:
        """A client with an API key."""
        headers = {"X-API-Key": self.api_key}
        return httpx2.AsyncClient(base_url=self.server.url, headers=headers, trust_env=False)

    def staff_client(self) -> httpx2.AsyncClient:
        """A client with a staff session, which sends what a browser sends with its own forms."""
        return httpx2.AsyncClient(
            base_url=self.server.url,
            cookies={PLAIN_COOKIE: Signer([SECRET]).sign(self.session_token)},
            headers={"Sec-Fetch-Site": "same-origin"},
            trust_env=False,
        )

    def import_command(self, path: Path, *options: str) -> list[str]:
        given = ["--agent", "airline", "--url", self.server.url, *options]
        return [sys.executable, "-m", "app", "import", "openai-messages", str(path), *given]

    def start_import(self, path: Path, *options: str) -> subprocess.Popen[str]:
        """The import command, its output in ``stderr``; the key comes by the environment."""
        return subprocess.Popen(
            self.import_command(path, *options),
            cwd=self.folder,
            env=clean_environment(GREENROOM_API_KEY=self.api_key, COLUMNS="200"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    async def run_import(self, path: Path, *options: str) -> tuple[int, str]:
        """Exit code and what it said."""
        process = self.start_import(path, *options)
        _, said = await asyncio.to_thread(process.communicate)
        return process.returncode, said


@asynccontextmanager
async def installed(
    database: Database, folder: Path, **environment: str
) -> AsyncIterator[Installation]:
    """A server over this (committed, own) database, stopped at the end."""
    async with database.unit_of_work() as session:
        user = await make_user(session, role=Role.SUPERUSER)
        _, api_key = await make_api_key(session, user)
        token = await make_session_token(session, user)
    url = database.engine.url.render_as_string(hide_password=False)
    server = ServerProcess(url, folder, **environment)
    await asyncio.to_thread(server.start)
    try:
        yield Installation(server, database, folder, api_key, token)
    finally:
        await asyncio.to_thread(server.stop)
