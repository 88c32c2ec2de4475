"""``python -m tests.browser.weights``: what each page weighs, cold and warm, in a real Chromium.

Bytes are those that come over the wire, compressed as the product sends them, with their headers.
The pages are those of the gallery, over its data.
"""

import argparse
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page
from rich.console import Console
from rich.table import Table

from app.core.embedded_postgres import EmbeddedPostgres
from tests.browser.gallery import Installation, a_browser, addresses, installation
from tests.pages import BEFORE_LOGIN

HERE = ("data:", "blob:", "about:", "chrome-error:")
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
KINDS = ("Document", "Stylesheet", "Script", "Font")


@dataclass(slots=True)
class Weight:
    """Of one page: bytes by kind of file, requests that went over the wire, and to whom."""

    size: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    elsewhere: list[str] = field(default_factory=list)
    first_paint_ms: float = 0


class Scales:
    """Weighs what a page loads, as the browser's own network log has it."""

    def __init__(self, page: Page, url: str, *, cached: bool) -> None:
        self._page, self._own = page, (url, url.replace("http", "ws", 1), *HERE)
        self._weight, self._kinds = Weight(), dict[str, str]()
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": not cached})
        session.on("Network.requestWillBeSent", self._asked)
        session.on("Network.webSocketCreated", self._look_at)
        session.on("Network.loadingFinished", self._came)

    def weigh(self, address: str) -> Weight:
        """Load the page, until nothing more comes."""
        self._weight = Weight()
        self._page.goto(address)
        self._page.wait_for_load_state("networkidle")
        self._weight.first_paint_ms = self._page.evaluate(FIRST_PAINT)
        return self._weight

    def _look_at(self, event: dict[str, Any]) -> None:  # as the DevTools protocol has it
        if not event["url"].startswith(self._own):
            self._weight.elsewhere.append(event["url"])

    def _asked(self, event: dict[str, Any]) -> None:  # the same
        self._look_at(event["request"])
        self._kinds[event["requestId"]] = event.get("type", "Other")

    def _came(self, event: dict[str, Any]) -> None:  # the same
        size, kind = int(event["encodedDataLength"]), self._kinds.get(event["requestId"], "Other")
        if size:  # Nothing came over the wire for what lay in the cache.
            self._weight.size[kind] += size
            self._weight.requests[kind] += 1


def kilobytes(size: int) -> str:
    return f"{size / 1024:.1f}"


def cells(cold: Weight, warm: Weight) -> list[str]:
    kinds = [kilobytes(cold.size[kind]) for kind in KINDS]
    each = [(str(one.requests.total()), kilobytes(one.size.total())) for one in (cold, warm)]
    paints = [f"{one.first_paint_ms:.0f}" for one in (cold, warm)]
    return [*each[0], *kinds, paints[0], *each[1], paints[1]]


def weigh_all(browser: Browser, site: Installation, only: str) -> Table:
    table = Table("page", "requests", "KB", *(f"{kind} KB" for kind in KINDS), "paint ms")
    for name in ("warm: requests", "KB", "paint ms"):
        table.add_column(name)
    for path, address in addresses(site.ids):
        if only not in path:
            continue
        page = site.page(browser, logged_in=not BEFORE_LOGIN.match(path))
        scales = Scales(page, site.url, cached=True)  # of a new browser: it is empty
        cold = scales.weigh(address)
        page.goto("about:blank")
        table.add_row(path, *cells(cold, scales.weigh(address)))
        page.context.close()
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="pages with this in their path")
    parser.add_argument("--runs", type=int, default=3_000, help="of the demo")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        postgres = EmbeddedPostgres(Path(name))
        postgres.start()
        with installation(postgres, "normal", asked.runs) as site, a_browser() as browser:
            table = weigh_all(browser, site, asked.only)
        postgres.stop()
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
