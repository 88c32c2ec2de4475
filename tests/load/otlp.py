"""``python -m tests.load.otlp``: durable spans a second, beside the least that could take them.

Both with one worker, the database and the senders on the same machine, in rounds by turns. Each
round's spans are counted in the database afterwards.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import asyncpg
import typer
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from app.core.config import PROJECT_ROOT, Settings
from app.core.database import Database
from app.core.migrations import migrate
from app.core.permissions import Role
from tests.factories.api_keys import make_api_key
from tests.factories.users import make_user
from tests.load.__main__ import a_database
from tests.load.otlp_sender import BATCH
from tests.server import SECRET, ServerProcess, clean_environment

console = Console()


class Ceiling(ServerProcess):
    """The app of ``otlp_ceiling.py``, as one uvicorn worker."""

    def launch(self) -> subprocess.Popen[bytes]:
        uvicorn = [sys.executable, "-m", "uvicorn", "tests.load.otlp_ceiling:app"]
        return self.started(*uvicorn, "--port", str(self.port), "--log-level", "warning")


@dataclass(frozen=True, slots=True)
class Round:
    """Spans a second of all senders together, and how long each batch waited for its answer."""

    rate: float
    acks: list[float]


def send(server: ServerProcess, key: str, senders: int, batches: int, seed: int) -> Round:
    """Every sender has its batches ready before the first of them sends."""
    command = [sys.executable, "-m", "tests.load.otlp_sender", str(server.port), key, str(batches)]
    processes = [
        subprocess.Popen(
            [*command, str(seed * 100 + number)],
            cwd=PROJECT_ROOT,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(senders)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    told = [json.loads(process.communicate()[0]) for process in processes]
    acks = [ack for each in told for ack in each["acks"]]
    return Round(senders * batches * BATCH / max(each["seconds"] for each in told), acks)


def peak_mib(server: ServerProcess) -> float:
    status = Path(f"/proc/{server.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


async def prepare(url: str) -> str:
    """Migrate; the key of a superuser."""
    settings = Settings(_env_file=None, secret_key=SecretStr(SECRET), database_url=SecretStr(url))
    database = Database.from_settings(settings)
    try:
        await migrate(database.engine)
        async with database.unit_of_work() as session:
            user = await make_user(session, role=Role.SUPERUSER)
            _, key = await make_api_key(session, user)
        return key
    finally:
        await database.dispose()


async def stored(url: str, table: str) -> int:
    connection = await asyncpg.connect(url.replace("postgresql+asyncpg", "postgresql"))
    try:
        count: int = await connection.fetchval(f"SELECT count(*) FROM {table}")
        return count
    finally:
        await connection.close()


def add_row(table: Table, name: str, rounds: Sequence[Round], beside: Sequence[Round]) -> None:
    rate = statistics.median(each.rate for each in rounds)
    ceiling = statistics.median(each.rate for each in beside)
    acks = sorted(ack for each in rounds for ack in each.acks)
    p99 = acks[min(len(acks) - 1, int(len(acks) * 0.99))]
    table.add_row(name, f"{rate:,.0f}", f"{ceiling:,.0f}", f"{rate / ceiling:.2f}", f"{p99:.2f} s")


def measure(url: str, folder: Path, key: str, rounds: int, batches: int) -> Table:
    table = Table("senders", "ours/s", "ceiling/s", "ratio", "ack p99")
    folders = [folder / "ours", folder / "ceiling"]
    for each in folders:
        each.mkdir()
    with (
        ServerProcess(url, folders[0], LOG_JSON="true") as ours,
        Ceiling(url, folders[1]) as ceiling,
    ):
        sent = 0
        for senders in (1, 4):
            found: tuple[list[Round], list[Round]] = ([], [])
            for number in range(rounds + 1):
                seed = senders * 1000 + number
                for place, server in enumerate((ours, ceiling)):
                    taken = send(server, key, senders, batches, seed)
                    if number:  # the first one warms up
                        found[place].append(taken)
                sent += senders * batches * BATCH
            add_row(table, str(senders), *found)
        console.print(f"{peak_mib(ours):.0f} MiB at most in our process")
        for name in ("spans", "span_bodies", "bare_spans"):
            console.print(f"{asyncio.run(stored(url, name)):,} of {sent:,} in {name}")
    return table


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds that count, for each server.")] = 3,
    batches: Annotated[int, typer.Option(min=1, help="Batches of 512 of each sender.")] = 20,
) -> None:
    """Spans that are committed when they are acknowledged, from one sender and from four."""
    with (
        tempfile.TemporaryDirectory(prefix="load-") as name,
        a_database(Path(name)) as url,
    ):
        key = asyncio.run(prepare(url))
        console.print(measure(url, Path(name), key, rounds, batches))


if __name__ == "__main__":
    typer.run(main)
