"""The product's commands in processes that are forked from one where everything is imported.

A test that starts a server, or the same one 25 times, waits for what the server does and not for
Python to import it. What runs is ``python -m app …`` (or gunicorn) all the same, in a process of
its own.
"""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["app.cli", "app.main", "app.serving.gunicorn", "tests.launching"])


def run(
    module: str, arguments: Sequence[str], folder: str, environment: Mapping[str, str], log: str
) -> None:
    """In the new process: become ``python -m module``."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    nothing, output = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_APPEND)
    for stream, file in enumerate((nothing, output, output)):
        os.dup2(file, stream)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


class Launched:
    """A command on its way; the methods are those of ``subprocess.Popen``."""

    def __init__(
        self,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        log: Path,
        module: str = "app",
        target: Callable[..., None] = run,
    ) -> None:
        """``folder`` is the working directory; output is appended to ``log``."""
        log.touch()
        given = (module, list(arguments), str(folder), dict(environment), str(log))
        self._process = CONTEXT.Process(target=target, args=given)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """The exit code, or ``None`` while it runs."""
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code. Raise ``subprocess.TimeoutExpired`` when that takes too long (s)."""
        self._process.join(timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired("app", timeout or 0)
        return code
