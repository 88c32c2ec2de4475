"""``make screenshots``: every page, wide and narrow, light and dark, empty, usual and overfull.

The pages are those that have a route, so a new one is photographed without being named here.
"""

import argparse
import asyncio
import base64
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Formatter
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright

from app.admin import VIEWS
from app.api.deps import PLAIN_COOKIE
from app.core.config import PROJECT_ROOT
from app.core.database import Database
from app.core.embedded_postgres import EmbeddedPostgres
from app.core.migrations import migrate
from app.core.security import Signer
from app.core.texts import ENGLISH
from app.main import create_app
from tests.browser import gallery_stock as stock
from tests.browser.conftest import BROWSERS, LEAN
from tests.conftest import settings_for
from tests.launching import Launched
from tests.pages import BEFORE_LOGIN, page_paths
from tests.pseudo import TAG
from tests.pseudo_server import PseudoServer
from tests.server import SECRET, ServerProcess, clean_environment

STATES = ("empty", "normal", "huge")
WIDTHS, HEIGHT, TALLEST = (1280, 390), 850, 2400
THEMES = ("light", "dark")
QUALITY = 82
PAINTED = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 150)))"
COUNTED_WITHIN_S = 240
# What a page looks best with; pages without parameters need none.
ASKED = {
    "/": "?range=30d",
    "/search": "?q=flight",
    "/executions/{execution_id}": "",
    "/executions/compare": "?left=previous&right={execution_id}",
    "/keys": "?everyone=1",
    "/model-prices/new": "?model=house-llama-70b",
    "/password/set": "?token=over",
}
NAMES = {"name": "executions"}  # of a page of the manual
# Pictures of the manual: name -> page, and how much of it.
MANUAL = {
    "help-dashboard": ("/?range=30d", 800),
    "help-executions": ("/executions", 620),
    "help-trace": ("/executions/{execution_id}", 860),
    "help-revisions": ("/agents/{agent_id}/revisions?left=1&right=2", 760),
    "help-tool": ("/tools/{tool_id}?days=30", 860),
}


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture; ``problem`` is what is wrong with the page, as far as a program can tell."""

    path: str
    state: str
    width: int
    theme: str
    file: str
    problem: str = ""


def parameters(path: str) -> list[str]:
    return [name for _, name, _, _ in Formatter().parse(path) if name]


def addresses(ids: stock.Ids) -> Iterator[tuple[str, str]]:
    """Each page with an address of it, but those of things that this installation has none of.

    Raise ``KeyError`` for a page of a kind of thing that nobody has put into ``ROWS``.
    """
    for path in page_paths(create_app(settings_for("postgresql+asyncpg://"))):
        known: dict[str, object] = {}
        pattern = path + ASKED.get(path, "")
        for name in parameters(pattern):
            if name not in stock.ROWS and name not in NAMES:
                raise KeyError(f"{path}: say in gallery_stock.ROWS which {name} to show")
            known[name] = NAMES.get(name) or ids.get(name)
        if all(known.values()):
            yield path, pattern.format(**known)


def data_admin(ids: stock.Ids) -> Iterator[tuple[str, str]]:
    """The other half: every table as a list, and a row with its form where there is one."""
    yield "/admin/", "/admin/"
    for view in VIEWS:
        yield (path := f"/admin/{view.identity}/list"), path
    for name, row in {"agents": "agent_id", "tools": "tool_id", "users": "user_id"}.items():
        yield (path := f"/admin/{name}/create"), path
        for kind in ("details", "edit") if row in ids else ():
            yield f"/admin/{name}/{kind}/{{{row}}}", f"/admin/{name}/{kind}/{ids[row]}"


def chromium() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise SystemExit("There is no Chromium. Run: make browser")
    return found


@contextmanager
def a_browser() -> Iterator[Browser]:
    options = [*LEAN, "--no-sandbox"] if os.geteuid() == 0 else LEAN
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=options)
        yield browser
        browser.close()


def photograph(page: Page, file: Path, tallest: int = TALLEST) -> None:
    """The whole page, up to a height; WebP, which Playwright itself does not make."""
    size = page.viewport_size or {"width": 0, "height": 0}
    whole = page.evaluate("document.documentElement.scrollHeight")
    # What sticks to the edges of the window sticks to those of the picture.
    page.set_viewport_size(size | {"height": min(max(whole, size["height"]), tallest)})
    page.evaluate(PAINTED)
    session = page.context.new_cdp_session(page)
    taken = session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    session.detach()
    file.write_bytes(base64.b64decode(taken["data"]))
    page.set_viewport_size(size)


def problem_of(page: Page) -> str:
    over = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return f"{over} px too wide" if over > 0 else ""


def show_in(page: Page, theme: str) -> None:
    """Return once it is painted so: what is half repainted looks broken."""
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    if page.locator("html[data-bs-theme]").count():  # not on what a broken page answers
        page.wait_for_selector(f"html[data-bs-theme={theme}]", state="attached")


def shots_of(page: Page, path: str, address: str, state: str, folder: Path) -> Iterator[Shot]:
    """All widths and themes of one page, which is loaded once for each width."""
    name = address.partition("?")[0].strip("/").replace("/", "_") or "home"
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        answer = page.goto(address)
        failed = "" if answer is None or answer.status < 400 else f"status {answer.status}"
        for theme in THEMES:
            show_in(page, theme)
            file = f"{state}-{name}-{width}-{theme}.webp"
            photograph(page, folder / file)
            yield Shot(path, state, width, theme, file, failed or problem_of(page))


@dataclass(frozen=True, slots=True)
class Installation:
    """A server with a state of things, and who looks at it."""

    url: str
    state: str
    token: str
    ids: stock.Ids
    language: str = ENGLISH

    def page(self, browser: Browser, *, logged_in: bool = True) -> Page:
        context = browser.new_context(
            base_url=self.url, reduced_motion="reduce", locale=self.language
        )
        if logged_in:
            host = urlsplit(self.url).hostname or ""
            value = Signer([SECRET]).sign(self.token)
            cookie = {"name": PLAIN_COOKIE, "value": value, "domain": host, "path": "/"}
            context.add_cookies([cookie])  # type: ignore[list-item]  # a TypedDict of the same keys
        return context.new_page()


async def fill(url: str, state: str, runs: int) -> str:
    settings = settings_for(url)
    database = Database.from_settings(settings)
    await migrate(database.engine)
    token = await stock.make_boss(database)
    if state == "normal":
        await stock.fill_normally(database, settings, runs)
    if state == "huge":
        await stock.fill_hugely(database)
    await database.dispose()
    return token


async def look(url: str) -> tuple[stock.Ids, bool]:
    database = Database.from_settings(settings_for(url))
    try:
        return await stock.ids_in(database), await stock.is_busy(database)
    finally:
        await database.dispose()


@contextmanager
def counted(url: str, folder: Path) -> Iterator[None]:
    """With a worker, until it has summed and analysed what there is."""
    environment = clean_environment(DATABASE_URL=url, SECRET_KEY=SECRET)
    worker = Launched(["worker"], folder, environment, folder / "worker.log")
    give_up_at = time.monotonic() + COUNTED_WITHIN_S
    try:
        while asyncio.run(look(url))[1] and time.monotonic() < give_up_at:
            time.sleep(2)
        yield
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(30)


@contextmanager
def installation(
    postgres: EmbeddedPostgres, state: str, runs: int, language: str = ENGLISH
) -> Iterator[Installation]:
    postgres.ensure_database(state)
    url = postgres.url(state)
    token = asyncio.run(fill(url, state, runs))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server_of = PseudoServer if language == TAG else ServerProcess
        with counted(url, folder), server_of(url, folder) as server:
            yield Installation(server.url, state, token, asyncio.run(look(url))[0], language)


def shoot(browser: Browser, site: Installation, folder: Path, only: str) -> list[Shot]:
    inside, outside = site.page(browser), site.page(browser, logged_in=False)
    taken: list[Shot] = []
    for path, address in [*addresses(site.ids), *data_admin(site.ids)]:
        if only in path:
            page = outside if BEFORE_LOGIN.match(path) else inside
            taken += shots_of(page, path, address, site.state, folder)
    return taken


def shoot_for_the_manual(browser: Browser, site: Installation, folder: Path) -> None:
    page = site.page(browser)
    page.set_viewport_size({"width": 1280, "height": 860})
    for name, (address, tallest) in MANUAL.items():
        page.set_viewport_size({"width": 1280, "height": tallest})
        page.goto(address.format(**site.ids))
        photograph(page, folder / f"{name}.webp", tallest)


def sheet(shots: Sequence[Shot]) -> str:
    """A page with all pictures, those of one page side by side."""
    rows = []
    for path in dict.fromkeys(shot.path for shot in shots):
        pictures = "".join(
            f'<figure><a href="{s.file}"><img loading="lazy" width="{s.width // 4}" src="{s.file}">'
            f"</a><figcaption>{s.state} {s.width} {s.theme} <b>{s.problem}</b></figcaption>"
            "</figure>"
            for s in shots
            if s.path == path
        )
        rows.append(f"<h2>{escape(path)}</h2><div>{pictures}</div>")
    style = "div{display:flex;gap:12px;overflow-x:auto;align-items:start}b{color:#b00}"
    look = f"body{{font:13px sans-serif;margin:24px}}figure{{margin:0}}{style}"
    return f"<!doctype html><title>Pages</title><style>{look}</style>{''.join(rows)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=PROJECT_ROOT / "build/screenshots")
    parser.add_argument("--states", nargs="*", choices=STATES, default=STATES)
    parser.add_argument("--only", default="", help="pages with this in their path")
    parser.add_argument("--runs", type=int, default=3_000, help="of the demo")
    parser.add_argument("--language", default=ENGLISH, help=f"{TAG}: made up, and 40 % longer")
    parser.add_argument("--manual", action="store_true", help="the manual's pictures, in docs/img")
    asked = parser.parse_args()
    asked.to.mkdir(parents=True, exist_ok=True)
    shots: list[Shot] = []
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        postgres = EmbeddedPostgres(Path(name))
        postgres.start()
        for state in ["normal"] if asked.manual else asked.states:
            made = installation(postgres, state, asked.runs, asked.language)
            with made as site, a_browser() as browser:
                if asked.manual:
                    shoot_for_the_manual(browser, site, PROJECT_ROOT / "docs/img")
                else:
                    shots += shoot(browser, site, asked.to, asked.only)
        postgres.stop()
    if not asked.manual:
        (asked.to / "index.html").write_text(sheet(shots))
        print(f"\n{len(shots)} pictures: {asked.to / 'index.html'}")  # noqa: T201
    for shot in shots:
        if shot.problem:
            print(f"  {shot.file}: {shot.problem}")  # noqa: T201


if __name__ == "__main__":
    main()
