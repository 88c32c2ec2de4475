"""``python -m tests.load.restarts``: processes that are stopped under load, and what is lost.

One process, told to stop while clients ask on open and on new connections, with bodies half sent
and sockets open. Then two gunicorns behind a real nginx with the files of deploy/nginx, restarted
one after the other again and again. Exits with 1 when a request was lost.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import httpx2
import typer
from rich.console import Console

from app.core.config import PROJECT_ROOT
from app.core.database import Database
from tests.conftest import settings_for
from tests.forking import GunicornProcess
from tests.load.__main__ import a_database, prepare
from tests.raw import connected, status_of
from tests.server import Installation, free_port, installed
from tests.sockets import dial

console = Console()
DEPLOY = PROJECT_ROOT / "deploy" / "nginx"
DRAIN_S = "5"
NGINX = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {upstream}
    server {{
        listen 127.0.0.1:{port};
        include {deploy}/proxy.conf;
    }}
}}
"""


@dataclass(slots=True)
class Clients:
    """Those who ask again and again; how each request ended."""

    url: str
    api_key: str
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _is_over: bool = False

    def start(self, count: int) -> None:
        self._tasks = [asyncio.create_task(self._ask(number)) for number in range(count)]

    async def stop(self) -> None:
        """Once each has its last answer."""
        self._is_over = True
        await asyncio.gather(*self._tasks)

    async def _ask(self, number: int) -> None:
        """Every second one on a new connection each time, every second one reads."""
        keeps, reads = number % 2 == 0, number % 4 < 2
        client = self._client()
        turn = 0
        while not self._is_over:
            turn += 1
            asked = time.monotonic()
            name = f"a-{id(self)}-{number}-{turn}"
            self.outcomes[await self._once(client, name, reads)] += 1
            self.slowest_s = max(self.slowest_s, time.monotonic() - asked)
            if not keeps:
                await client.aclose()
                client = self._client()
            await asyncio.sleep(0.02)
        await client.aclose()

    def _client(self) -> httpx2.AsyncClient:
        headers = {"X-API-Key": self.api_key}
        return httpx2.AsyncClient(base_url=self.url, headers=headers, trust_env=False, timeout=30)

    @staticmethod
    async def _once(client: httpx2.AsyncClient, name: str, reads: bool) -> str:
        agent = {"name": name, "model": "gpt-4o", "system_prompt": "Be kind."}
        try:
            if reads:
                response = await client.get("/api/v1/agents?limit=5")
            else:
                response = await client.post("/api/v1/agents", json=agent)
        except httpx2.ConnectError:
            return "refused"  # nobody was there, so nothing was begun
        except httpx2.TransportError as error:
            return f"lost: {type(error).__name__}"
        if response.is_success:
            return "answered"
        return f"lost: {response.status_code} {response.text[:120]}"

    @property
    def lost(self) -> int:
        return sum(count for how, count in self.outcomes.items() if how.startswith("lost"))


async def half_sent(port: int, api_key: str, name: str, told: asyncio.Event) -> int:
    """The status of a request whose second half is sent well after the signal."""
    body = b'{"name": "%s", "model": "gpt-4o", "system_prompt": "Be kind."}' % name.encode()
    async with connected(port) as raw:
        await raw.say(
            f"POST /api/v1/agents HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {api_key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        )
        await raw.say(body[:9])
        await told.wait()
        await asyncio.sleep(3)
        await raw.say(body[9:])
        return status_of(await raw.until_closed())


async def stop_under_load(site: Installation, clients: int, sockets: int) -> int:
    """How many requests were lost when one process was told to stop."""
    asking = Clients(site.server.url, site.api_key)
    told = asyncio.Event()
    key = {"X-API-Key": site.api_key}
    opened = [await dial(site.server.url, "agents", key) for _ in range(sockets)]
    port = site.server.port
    halves = [
        asyncio.create_task(half_sent(port, site.api_key, f"half-{n}", told)) for n in range(20)
    ]
    asking.start(clients)
    await asyncio.sleep(4)
    started = time.monotonic()
    os.kill(site.server.pid, signal.SIGTERM)
    told.set()
    codes = Counter([(await socket.closing())[0] for socket in opened])  # type: ignore[union-attr]
    statuses = Counter(await asyncio.gather(*halves))
    await asyncio.to_thread(site.server.stop)
    took = time.monotonic() - started
    await asking.stop()
    console.print(f"One process, SIGTERM: {dict(asking.outcomes)}; gone after {took:.1f} s")
    console.print(f"  half-sent requests: {dict(statuses)}; sockets closed with {dict(codes)}")
    return asking.lost + sum(count for status, count in statuses.items() if status != 201)


@contextmanager
def nginx(folder: Path, ports: Sequence[int]) -> Iterator[str]:
    """Its address. The upstream is that of deploy/nginx, on these ports."""
    port = free_port()
    said = (DEPLOY / "greenroom.conf").read_text()
    upstream = said[said.index("map ") : said.index("server {\n    listen 80;")]
    for given, real in zip(("8001", "8002"), ports, strict=True):
        upstream = upstream.replace(f"127.0.0.1:{given}", f"127.0.0.1:{real}")
    conf = folder / "nginx.conf"
    conf.write_text(NGINX.format(folder=folder, upstream=upstream, port=port, deploy=DEPLOY))
    process = subprocess.Popen(["nginx", "-e", f"{folder}/error.log", "-c", str(conf)])
    try:
        time.sleep(1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


async def roll(site: Installation, folder: Path, clients: int, rounds: int) -> int:
    """How many requests were lost while two gunicorns behind nginx were restarted in turn."""
    database_url = site.database.engine.url.render_as_string(hide_password=False)
    options = {"SHUTDOWN_DRAIN_S": DRAIN_S, "LOG_JSON": "true", "WEB_CONCURRENCY": "1"}
    servers = []
    for number in range(2):
        (folder / str(number)).mkdir()
        trusted = {"TRUSTED_PROXIES": "127.0.0.1"}
        server = GunicornProcess(database_url, folder / str(number), **options, **trusted)
        await asyncio.to_thread(server.start)
        servers.append(server)
    with nginx(folder, [server.port for server in servers]) as url:
        asking = Clients(url, site.api_key)
        asking.start(clients)
        await asyncio.sleep(3)
        for _ in range(rounds):
            for server in servers:
                await asyncio.to_thread(server.stop)
                await asyncio.to_thread(server.start)
                await asyncio.sleep(1)
        await asking.stop()
    for server in servers:
        await asyncio.to_thread(server.stop)
    console.print(f"{2 * rounds} restarts behind nginx: {dict(asking.outcomes)}")
    console.print(f"  slowest answer {asking.slowest_s:.2f} s")
    return asking.lost + asking.outcomes["refused"]


async def run(url: str, folder: Path, clients: int, rounds: int) -> int:
    database = Database.from_settings(settings_for(url))
    try:
        async with installed(database, folder, SHUTDOWN_DRAIN_S=DRAIN_S, LOG_JSON="true") as site:
            lost = await stop_under_load(site, clients, sockets=50)
            if shutil.which("nginx") is None:
                console.print("[yellow]nginx is not installed[/]: nothing was restarted behind it.")
                return lost
            return lost + await roll(site, folder, clients, rounds)
    finally:
        await database.dispose()


def main(
    clients: Annotated[int, typer.Option(min=4)] = 16,
    rounds: Annotated[int, typer.Option(min=1, help="Restarts of each process.")] = 3,
) -> None:
    """Stop processes under load, and count what is lost."""
    with tempfile.TemporaryDirectory(prefix="load-") as name, a_database(Path(name)) as url:
        asyncio.run(prepare(url))
        lost = asyncio.run(run(url, Path(name), clients, rounds))
    console.print("[green]Nothing was lost.[/]" if not lost else f"[red]{lost} were lost.[/]")
    raise typer.Exit(1 if lost else 0)


if __name__ == "__main__":
    typer.run(main)
