"""An HTTP server on loopback that answers as it is told, and a client of it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from app.importers.client import Greenroom

Answer = tuple[int, dict[str, str], str]


def answer(status: int, body: Any, **headers: str) -> Answer:
    return status, headers, json.dumps(body)


class Told:
    """Answers in the order they were put; ``bodies`` are the requests' so far."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.bodies: list[bytes] = []
        self.paths: list[str] = []

    def reply(self, handler: BaseHTTPRequestHandler) -> None:
        size = int(handler.headers.get("content-length", 0))
        self.bodies.append(handler.rfile.read(size))
        self.paths.append(handler.path)
        status, headers, text = self.answers.pop(0)
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("content-length", str(len(text.encode())))
        handler.end_headers()
        handler.wfile.write(text.encode())


class Remote:
    """A server that answers as told, and a client of it that notes its pauses and words."""

    def __init__(self, told: Told, url: str) -> None:
        self.told = told
        self.url = url
        self.said: list[str] = []
        self.pauses: list[float] = []
        self.api = Greenroom(url, "gr_key", self.said.append, self.pauses.append)


@contextmanager
def answering() -> Iterator[Remote]:
    told = Told()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.reply(self)

        do_GET = do_POST  # noqa: N815  (named by the base class)

        def log_message(self, *_: object) -> None:
            """Keep the output of the tests clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        remote = Remote(told, f"http://127.0.0.1:{server.server_port}")
        with remote.api:
            yield remote
        server.shutdown()
        thread.join()
