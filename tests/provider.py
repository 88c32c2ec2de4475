"""A model provider on loopback: it speaks OpenAI's protocol and answers what it is told to."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.loopback import LoopbackServer

Json = dict[str, Any]
Answer = Callable[[Json], Awaitable[Response]]
USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


class Provider(LoopbackServer):
    """Answers the scripted answers in their order, and repeats the last word of the user after.

    ``requests`` are the bodies that came, ``headers`` theirs; ``at_once`` is how many were
    answered at the same time at most, ``cut_off`` how many streams the client left.
    """

    def __init__(self) -> None:
        self.requests: list[Json] = []
        self.headers: list[dict[str, str]] = []
        self.now = self.at_once = self.cut_off = 0
        self._script: deque[Answer] = deque()
        routes = [Route("/v1/chat/completions", self._answer, methods=["POST"])]
        super().__init__(Starlette(routes=routes))

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    def will(self, *answers: Answer) -> None:
        """Forget what was scripted, and answer these."""
        self.requests.clear()
        self.headers.clear()
        self.now = self.at_once = self.cut_off = 0
        self._script = deque(answers)

    async def _answer(self, request: Request) -> Response:
        body = await request.json()
        self.requests.append(body)
        self.headers.append(dict(request.headers))
        answer = self._script.popleft() if self._script else echo
        response = await answer(body)
        if isinstance(response, StreamingResponse):
            response.body_iterator = self._watched(response.body_iterator)
        return response

    async def _watched(self, chunks: Any) -> AsyncIterator[bytes]:  # an async iterator of bytes
        self.now += 1
        self.at_once = max(self.at_once, self.now)
        is_over = False
        try:
            async for chunk in chunks:
                yield chunk
            is_over = True
        except BrokenStream:
            is_over = True
            raise
        finally:
            self.now -= 1
            self.cut_off += not is_over


class BrokenStream(Exception):
    """Ends the connection in the middle of an answer."""


def chunk_of(body: Json, delta: Json, finish_reason: str | None = None, index: int = 0) -> Json:
    choice = {"index": index, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": body["model"],
        "choices": [choice],
        "usage": None,
    }


def event(data: object) -> bytes:
    return f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()


def streamed(chunks: AsyncIterator[bytes]) -> Response:
    return StreamingResponse(chunks, media_type="text/event-stream")


async def echo(body: Json) -> Response:
    said = str(body["messages"][-1].get("content")).split()
    return await says("You said: ", said[-1] if said else "nothing")(body)


def says(*pieces: str, usage: Json | None = USAGE, finish: str = "stop") -> Answer:
    """These pieces, one after the other, and what they cost."""

    async def chunks(body: Json) -> AsyncIterator[bytes]:
        yield event(chunk_of(body, {"role": "assistant", "content": ""}))
        for piece in pieces:
            yield event(chunk_of(body, {"content": piece}))
        yield event(chunk_of(body, {}, finish))
        if usage is not None:
            yield event(chunk_of(body, {}) | {"choices": [], "usage": usage})
        yield event("[DONE]")

    async def answer(body: Json) -> Response:
        return streamed(chunks(body))

    return answer


def calls(*wanted: tuple[str, object], text: str | None = None) -> Answer:
    """Asks for tools by name and arguments, the arguments in two pieces as servers send them."""

    async def chunks(body: Json) -> AsyncIterator[bytes]:
        yield event(chunk_of(body, {"role": "assistant", "content": text}))
        for index, (name, arguments) in enumerate(wanted):
            given = arguments if isinstance(arguments, str) else json.dumps(arguments)
            start = {"index": index, "id": f"call_{index + 1}", "type": "function"}
            opened = start | {"function": {"name": name, "arguments": ""}}
            yield event(chunk_of(body, {"tool_calls": [opened]}))
            for piece in (given[:3], given[3:]):
                more = {"index": index, "function": {"arguments": piece}}
                yield event(chunk_of(body, {"tool_calls": [more]}))
        yield event(chunk_of(body, {}, "tool_calls"))
        yield event(chunk_of(body, {}) | {"choices": [], "usage": USAGE})
        yield event("[DONE]")

    async def answer(body: Json) -> Response:
        return streamed(chunks(body))

    return answer


def refuses(status: int, message: str = "No.", **headers: str) -> Answer:
    """An error in OpenAI's shape; ``retry_after="1"`` becomes the header."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def answer(_: Json) -> Response:
        error = {"message": message, "type": "some_error", "param": None, "code": None}
        return JSONResponse({"error": error}, status, named)

    return answer


def breaks_off(*pieces: str) -> Answer:
    """Says the pieces and cuts the connection."""

    async def chunks(body: Json) -> AsyncIterator[bytes]:
        for piece in pieces:
            yield event(chunk_of(body, {"content": piece}))
        await asyncio.sleep(0.05)  # what was said is on its way before the connection ends
        raise BrokenStream

    async def answer(body: Json) -> Response:
        return streamed(chunks(body))

    return answer


def drips(piece: str = "more ", every_s: float = 0.02) -> Answer:
    """Goes on until the client leaves."""

    async def chunks(body: Json) -> AsyncIterator[bytes]:
        while True:
            yield event(chunk_of(body, {"content": piece}))
            await asyncio.sleep(every_s)

    async def answer(body: Json) -> Response:
        return streamed(chunks(body))

    return answer


def sends(*raw: object) -> Answer:
    """A stream of just these events, whatever they are."""

    async def chunks() -> AsyncIterator[bytes]:
        for data in raw:
            yield event(data)

    async def answer(_: Json) -> Response:
        return streamed(chunks())

    return answer


def replies(body: str, media_type: str, status: int = 200) -> Answer:
    """Exactly this body."""

    async def answer(_: Json) -> Response:
        return Response(body, status, media_type=media_type)

    return answer


def sleeps(seconds: float) -> Answer:
    """Answers late."""

    async def answer(body: Json) -> Response:
        await asyncio.sleep(seconds)
        return await says("late")(body)

    return answer
