"""A PostgreSQL to be stopped, killed and frozen; and an account of who was answered what."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import httpx2

from app.core.embedded_postgres import EmbeddedPostgres


class Outage(StrEnum):
    """How a database goes away."""

    STOPPED = "stopped"
    KILLED = "killed"
    FROZEN = "frozen"


class MortalPostgres:
    """Only processes that this object started are signalled."""

    def __init__(self, folder: Path) -> None:
        self.embedded = EmbeddedPostgres(folder)
        self.embedded.start()
        self._server = self.embedded._server

    def _processes(self) -> list[int]:
        """The postmaster and its children."""
        postmaster = self._server.get_pid()
        if postmaster is None:
            return []
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(postmaster)],
            capture_output=True,
            text=True,
            check=False,
        )
        return [postmaster, *map(int, listed.stdout.split())]

    def _signal(self, how: signal.Signals) -> None:
        for pid in self._processes():
            try:
                os.kill(pid, how)
            except ProcessLookupError:
                continue

    def begin(self, outage: Outage) -> None:
        match outage:
            case Outage.STOPPED:
                self._server._stop()
            case Outage.KILLED:
                # A new one may start only when nothing of the old one is left; while it stands
                # still, the postmaster makes no child that is not on the list.
                os.kill(self._processes()[0], signal.SIGSTOP)
                processes = self._processes()
                self._signal(signal.SIGKILL)
                while any(Path(f"/proc/{pid}").exists() for pid in processes):
                    time.sleep(0.01)
            case Outage.FROZEN:
                self._signal(signal.SIGSTOP)

    def end(self, outage: Outage) -> None:
        if outage is Outage.FROZEN:
            self._signal(signal.SIGCONT)
        else:
            self._server.ensure_postgres_running()


@contextmanager
def mortal_postgres(folder: Path) -> Iterator[MortalPostgres]:
    server = MortalPostgres(folder)
    try:
        yield server
    finally:
        server.end(Outage.FROZEN)
        server.embedded.stop()


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer: when it was asked for and given (monotonic seconds)."""

    asked_at: float
    at: float
    response: httpx2.Response

    @property
    def took_s(self) -> float:
        return self.at - self.asked_at


@dataclass(slots=True)
class Load:
    """So many clients asking one after the other, until ``stop``; no answer at all is an error."""

    client: httpx2.AsyncClient
    paths: tuple[str, ...]
    answers: list[Answered] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self, clients: int) -> None:
        self._tasks = [asyncio.create_task(self._ask(n)) for n in range(clients)]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        for outcome in ended:
            if isinstance(outcome, Exception):
                raise outcome

    async def _ask(self, number: int) -> None:
        while True:
            path = self.paths[number % len(self.paths)]
            number += 1
            asked_at = time.monotonic()
            response = await self.client.get(path)
            self.answers.append(Answered(asked_at, time.monotonic(), response))

    def between(self, since: float, until: float) -> list[Answered]:
        """What was answered then."""
        return [answer for answer in self.answers if since <= answer.at < until]

    async def until_all_are(self, statuses: set[int], answers: int) -> float:
        """Wait for so many answers in a row of these statuses: when the first of them came."""
        while True:
            last = self.answers[-answers:]
            if len(last) == answers and {a.response.status_code for a in last} <= statuses:
                return last[0].at
            await asyncio.sleep(0.01)
