"""``python -m tests.load.otlp_growth``: what one more span costs, as its run grows.

Each span in a request of its own, children before their parents, the root at the end: the way of
exporters that send every span as it ends. Processor time, of our process and of PostgreSQL.
"""

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated, Any

import httpx2
import typer
from rich.console import Console
from rich.table import Table

from app.core.embedded_postgres import EmbeddedPostgres
from app.services.ingestion.otlp import PROTOBUF
from app.services.ingestion.wire import WireSpan
from tests.load.otlp import prepare, stored
from tests.load.otlp_cost import OWN, TICKS, server_seconds, ticks_of
from tests.otlp.requests import encoded, make_span
from tests.server import ServerProcess

ROOT = 1
CALL: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 10,
}
TOOL: dict[str, Any] = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "find"}

console = Console()


def steps(count: int) -> list[WireSpan]:
    """Turns of an agent: a call of a model, a tool, and then the turn that holds both."""
    found: list[WireSpan] = []
    for number in range(ROOT + 1, count, 3):
        turn = number + 2
        found.append(make_span(number, parent=turn, attributes=CALL))
        found.append(make_span(number + 1, parent=turn, attributes=TOOL))
        found.append(make_span(turn, parent=ROOT))
    return [*found[: count - 1], make_span(ROOT)]


def seconds(server: ServerProcess, folder: Path) -> tuple[float, float]:
    return ticks_of(Path(f"/proc/{server.pid}"), OWN) / TICKS, server_seconds(folder)


def measure(server: ServerProcess, key: str, folder: Path, count: int, rows: int) -> Table:
    table = Table("steps of the run", "web µs", "PostgreSQL µs")
    with httpx2.Client(base_url=server.url, headers={"X-API-Key": key}) as client:
        before = seconds(server, folder)
        size = max(1, count // rows)
        for place, span in enumerate(steps(count), 1):
            client.post("/v1/traces", **encoded([span], PROTOBUF)).raise_for_status()
            if place % size == 0:
                now = seconds(server, folder)
                cells = [f"{(n - b) / size * 1e6:,.0f}" for n, b in zip(now, before, strict=True)]
                table.add_row(f"{place:,}", *cells)
                before = now
    return table


def main(
    count: Annotated[int, typer.Option(min=10, help="Steps of the run.")] = 5_000,
    rows: Annotated[int, typer.Option(min=1, help="Into how many parts they are told.")] = 10,
) -> None:
    """What a span costs that is sent alone."""
    with tempfile.TemporaryDirectory(prefix="load-") as name:
        postgres = EmbeddedPostgres(Path(name))
        postgres.start()
        try:
            postgres.ensure_database()
            url, folder = postgres.url(), Path(name) / "postgres"
            key = asyncio.run(prepare(url))
            (Path(name) / "ours").mkdir()
            with ServerProcess(
                url, Path(name) / "ours", LOG_JSON="true", RATE_LIMIT="1000000/minute"
            ) as server:
                console.print(measure(server, key, folder, count, rows))
            console.print(f"{asyncio.run(stored(url, 'spans')):,} spans are stored")
        finally:
            postgres.stop()


if __name__ == "__main__":
    typer.run(main)
