"""Request bodies read strictly: what two readers could understand differently is refused."""

import json
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

TOO_DEEP = "The body is nested too deeply."


def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Which of two values counts differs between readers (RFC 8259, 4)."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"The body has the name {twice[:100]!r} twice in one object.")
    return found


def no_constants(name: str) -> NoReturn:
    raise ValueError(f"The body has {name}, which is not JSON.")


def parse(body: bytes) -> Any:  # any JSON value
    """Raise ``HTTPException`` (422) that says where the body stops being JSON."""
    try:
        return json.loads(
            body.decode(), object_pairs_hook=no_duplicates, parse_constant=no_constants
        )
    except json.JSONDecodeError as error:
        message = f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})."
    except UnicodeDecodeError:
        message = "The body is not UTF-8."
    except RecursionError:
        message = TOO_DEEP
    except ValueError as error:  # ours, and whole numbers of thousands of digits
        is_ours = str(error).startswith("The body")
        message = str(error) if is_ours else "The body has a number with too many digits."
    raise HTTPException(422, message)


class StrictRequest(Request):
    """A request whose ``json`` is strict; everything else is as it was."""

    async def json(self) -> Any:  # any JSON value
        return parse(await self.body())


class StrictRoute(APIRoute):
    """FastAPI reads the body before anything else; this is the one place to read it otherwise."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(StrictRequest(request.scope, request.receive))

        return handle_strictly
