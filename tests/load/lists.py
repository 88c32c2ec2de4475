"""``python -m tests.load.lists``: the list of runs at a million rows, beside SQLAdmin as it comes.

Two databases, one small and one large; each page is asked of this product over both and of
``stock_admin.py`` over the large one, by turns. Ratios say more than milliseconds; on a busy
machine only processor time says much: that of the web process and of all of PostgreSQL together.
"""

import asyncio
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import httpx2
import typer
from rich.console import Console
from rich.table import Table

from app.api.deps import PLAIN_COOKIE
from app.core.embedded_postgres import EmbeddedPostgres
from app.core.security import Signer
from tests.load.lists_stock import RARE, cursor_after, fill
from tests.load.otlp_cost import OWN, TICKS, server_seconds, ticks_of
from tests.server import SECRET, ServerProcess

PAGE = 50
MOST_GROWTH, DEEP_AIM, SEARCH_AIM = 1.5, 10, 100
STOCK = "/admin/execution/list"
console = Console()


class StockAdmin(ServerProcess):
    """The app of ``stock_admin.py``, as one uvicorn worker."""

    def launch(self) -> subprocess.Popen[bytes]:
        return self.started(
            *(sys.executable, "-m", "uvicorn", "tests.load.stock_admin:app"),
            *("--port", str(self.port)),
        )


@dataclass(frozen=True, slots=True)
class Question:
    """One page: its path here, over the small and the large table, and its path there."""

    name: str
    small: str
    large: str
    stock: str
    aim: int


@dataclass(frozen=True, slots=True)
class Site:
    """A server, a client of it, and the folder of its PostgreSQL."""

    client: httpx2.Client
    pid: int
    postgres: Path

    def processor_ms(self) -> float:
        web = ticks_of(Path(f"/proc/{self.pid}"), OWN) / TICKS
        return 1000 * (web + server_seconds(self.postgres))


@dataclass(frozen=True, slots=True)
class Sites:
    """The three servers."""

    small: Site
    large: Site
    stock: Site


@dataclass(frozen=True, slots=True)
class Taken:
    """Milliseconds of one page: on the clock, and of processors."""

    clock: float
    processor: float


def questions(small_cursor: str, large_cursor: str, deep_page: int) -> list[Question]:
    def both(name: str, path: str, stock: str, aim: int) -> Question:
        return Question(name, path, path, STOCK + stock, aim)

    return [
        both("first page", "/executions", "?page=1", DEEP_AIM),
        Question(
            f"page {deep_page:,}",
            f"/executions?cursor={small_cursor}",
            f"/executions?cursor={large_cursor}",
            f"{STOCK}?page={deep_page}",
            DEEP_AIM,
        ),
        both("filtered", "/executions?status=failed", "?status=failed", DEEP_AIM),
        both("rare word", f"/executions?q={RARE}", f"?search={RARE}", SEARCH_AIM),
    ]


def taken_by(site: Site, path: str) -> Taken:
    """Of one page. Raise ``RuntimeError`` for an answer that is not 200."""
    worked, began = site.processor_ms(), time.perf_counter()
    answer = site.client.get(path)
    took = (time.perf_counter() - began) * 1000
    if answer.status_code != 200:
        raise RuntimeError(f"{path} → {answer.status_code}")
    return Taken(took, site.processor_ms() - worked)


def ask(question: Question, sites: Sites, rounds: int) -> list[tuple[Taken, ...]]:
    """Of the small table, the large one and stock SQLAdmin, each round."""
    asked = (
        (sites.small, question.small),
        (sites.large, question.large),
        (sites.stock, question.stock),
    )
    rows = [tuple(taken_by(*each) for each in asked) for _ in range(rounds + 1)]
    return rows[1:]  # The first warms up.


def add_row(table: Table, question: Question, taken: list[tuple[Taken, ...]]) -> None:
    columns = list(zip(*taken, strict=True))
    small, large, stock = (statistics.median(one.clock for one in column) for column in columns)
    # The counters move in steps of many milliseconds: only their sums say something.
    own, theirs = (statistics.mean(one.processor for one in column) for column in columns[1:])
    growth, gain = large / small, stock / large
    met = "yes" if growth <= MOST_GROWTH and gain >= question.aim else "no"
    cells = (f"{small:.1f}", f"{large:.1f}", f"{growth:.2f}", f"{stock:.1f}", f"{gain:.0f}×", met)
    worked = (f"{own:.1f}", f"{theirs:.1f}", f"{theirs / max(own, 0.1):.0f}×")
    table.add_row(question.name, *cells, *worked)


@contextlib.contextmanager
def three_sites(small: str, large: str, tokens: tuple[str, str], folder: Path) -> Iterator[Sites]:
    folders = [folder / name for name in ("small", "large", "stock")]
    for each in folders:
        each.mkdir()
    with (
        ServerProcess(small, folders[0]) as one,
        ServerProcess(large, folders[1]) as two,
        StockAdmin(large, folders[2]) as stock,
        client_of(one, tokens[0]) as first,
        client_of(two, tokens[1]) as second,
        client_of(stock, "") as third,
    ):
        yield Sites(
            Site(first, one.pid, folder / "postgres"),
            Site(second, two.pid, folder / "postgres"),
            Site(third, stock.pid, folder / "postgres"),
        )


def client_of(server: ServerProcess, token: str) -> httpx2.Client:
    cookies = {PLAIN_COOKIE: Signer([SECRET]).sign(token)} if token else {}
    return httpx2.Client(base_url=server.url, cookies=cookies, timeout=120, trust_env=False)


def main(
    rows: Annotated[int, typer.Option(min=2_000, help="Of the large table.")] = 1_000_000,
    few: Annotated[int, typer.Option(min=1_000, help="Of the small table.")] = 1_000,
    rounds: Annotated[int, typer.Option(min=1)] = 15,
) -> None:
    """Compare pages of a small and a large table, and with stock SQLAdmin."""
    table = Table("page", f"{few:,} ms", f"{rows:,} ms", "ratio", "SQLAdmin ms", "gain", "met")
    for name in ("processor ms", "SQLAdmin", "gain"):
        table.add_column(name)
    deep_page = rows // PAGE // 2
    with tempfile.TemporaryDirectory(prefix="load-") as name:
        postgres = EmbeddedPostgres(Path(name))
        postgres.start()
        try:
            urls = tuple(postgres.url(each) for each in ("few", "many"))
            for each in ("few", "many"):
                postgres.ensure_database(each)
            tokens = (asyncio.run(fill(urls[0], few)), asyncio.run(fill(urls[1], rows)))
            cursors = (
                asyncio.run(cursor_after(urls[0], few // 2)),
                asyncio.run(cursor_after(urls[1], deep_page * PAGE)),
            )
            with three_sites(urls[0], urls[1], tokens, Path(name)) as sites:
                for question in questions(*cursors, deep_page):
                    add_row(table, question, ask(question, sites, rounds))
        finally:
            postgres.stop()
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
