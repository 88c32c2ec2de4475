"""Odd requests to a running server, and what became of it."""

import http.client
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.otlp.fuzz import Request, bombs, requests
from tests.server import Installation

ALLOWED = {200, 400, 413, 415}


@dataclass(slots=True)
class Seen:
    """Answers by status, and those that must not be."""

    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def ask(client: http.client.HTTPConnection, key: str, request: Request, seen: Seen) -> None:
    client.request("POST", "/v1/traces", request.body, request.headers | {"X-API-Key": key})
    answer = client.getresponse()
    content = answer.read()
    seen.statuses[answer.status] += 1
    if answer.status not in ALLOWED or b"Traceback" in content:
        seen.wrong.append(f"{answer.status} {content[:200]!r} to {request.body[:500]!r}")


def one_client(home: Installation, seed: int, count: int, with_bombs: bool) -> Seen:
    seen = Seen()
    client = http.client.HTTPConnection("127.0.0.1", home.server.port, timeout=60)
    for request in bombs() if with_bombs else []:
        ask(client, home.api_key, request, seen)
    for request in requests(seed, count):
        ask(client, home.api_key, request, seen)
    client.close()
    return seen


def fuzz(home: Installation, seed: int, count: int, clients: int = 4) -> Seen:
    """So many requests in all."""
    together = Seen()
    with ThreadPoolExecutor(clients) as pool:
        works = [
            pool.submit(one_client, home, seed * 1000 + n, count // clients, n == 0)
            for n in range(clients)
        ]
        for work in works:
            seen = work.result()
            together.statuses += seen.statuses
            together.wrong += seen.wrong
    return together


def resident_mib(home: Installation) -> float:
    status = Path(f"/proc/{home.server.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
