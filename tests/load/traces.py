"""``python -m tests.load.traces``: the page of a run at more and more steps and longer messages.

For each run and each way to look at it: processor time of the server, how long another request
had to wait meanwhile, bytes of HTML, and the first paint in Chromium. Times say as much about the
machine as about the page; read them beside those of a run of 50 steps.
"""

import asyncio
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import httpx2
import typer
from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.table import Table

from app.api.deps import PLAIN_COOKIE
from app.core.embedded_postgres import EmbeddedPostgres
from app.core.security import Signer
from tests.browser.conftest import BROWSERS, LEAN
from tests.load.trace_stock import fill
from tests.server import SECRET, ServerProcess

TICKS = os.sysconf("SC_CLK_TCK")
PAUSE_S = 0.005
VIEWS = {
    "page": "",
    "step": "?span=0000000000000001",
    "find": "?find=window",
    "errors": "?only=errors",
    "all steps": "?steps=10000",
}
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
console = Console()


def processor_seconds(pid: int) -> float:
    """Of the process so far. Source: proc(5), fields 14 and 15 of ``stat``."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Waiter:
    """Asks for next to nothing, again and again, and notes the longest wait in milliseconds."""

    def __init__(self, url: str) -> None:
        self.longest_ms = 0.0
        self._url, self._done = f"{url}/health/live", threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        with httpx2.Client(trust_env=False, timeout=60) as client:
            while not self._done.is_set():
                began = time.perf_counter()
                client.get(self._url)
                self.longest_ms = max(self.longest_ms, (time.perf_counter() - began) * 1000)
                time.sleep(PAUSE_S)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._done.set()
            self._thread.join()


def cost_of(server: ServerProcess, client: httpx2.Client, path: str, rounds: int) -> list[str]:
    """Processor time and the answer's time of one page, the longest wait beside it, its bytes."""
    client.get(path).raise_for_status()  # The first warms up.
    began, at = processor_seconds(server.pid), time.perf_counter()
    sizes = [len(client.get(path).raise_for_status().content) for _ in range(rounds)]
    took = (time.perf_counter() - at) / rounds
    used = (processor_seconds(server.pid) - began) / rounds
    waits = []
    for _ in range(rounds):
        waiter = Waiter(server.url)
        with waiter.waiting():
            time.sleep(0.05)
            client.get(path).raise_for_status()
        waits.append(waiter.longest_ms)
    wait = statistics.median(waits)
    return [f"{used * 1000:,.0f}", f"{took * 1000:,.0f}", f"{wait:,.0f}", f"{sizes[0] / 1024:,.0f}"]


def paint_ms(page: Page, path: str, rounds: int) -> float:
    """The median of first contentful paints."""
    found = []
    for _ in range(rounds):
        page.goto(path, wait_until="load")
        page.wait_for_timeout(100)
        found.append(float(page.evaluate(PAINT)))
    return statistics.median(found)


@contextmanager
def browser_page(url: str, cookie: str) -> Iterator[Page]:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*LEAN, "--no-sandbox"])
        context = browser.new_context(base_url=url)
        context.add_cookies([{"name": PLAIN_COOKIE, "value": cookie, "url": url}])
        yield context.new_page()
        browser.close()


def measure(server: ServerProcess, token: str, runs: dict[str, int], rounds: int) -> Table:
    table = Table("run", "view", "CPU ms", "ms", "others wait ms", "HTML KB", "first paint ms")
    cookie = Signer([SECRET]).sign(token)
    client = httpx2.Client(
        base_url=server.url, cookies={PLAIN_COOKIE: cookie}, timeout=120, trust_env=False
    )
    with client, browser_page(server.url, cookie) as page:
        for name, run_id in runs.items():
            for view, query in VIEWS.items():
                path = f"/executions/{run_id}{query}"
                cells = cost_of(server, client, path, rounds)
                table.add_row(name, view, *cells, f"{paint_ms(page, path, rounds):,.0f}")
    return table


def main(rounds: Annotated[int, typer.Option(min=1)] = 5) -> None:
    """Measure the page of long runs."""
    with tempfile.TemporaryDirectory(prefix="load-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # The database may run as another user.
        postgres = EmbeddedPostgres(folder)
        postgres.start()
        try:
            postgres.ensure_database("traces")
            url = postgres.url("traces")
            token, runs = asyncio.run(fill(url))
            with ServerProcess(url, folder) as server:
                console.print(measure(server, token, runs, rounds))
        finally:
            postgres.stop()


if __name__ == "__main__":
    typer.run(main)
