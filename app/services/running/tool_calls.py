"""Calls of tools of kind http: arguments checked, the request built, the answer made a result."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from app.core.completions import WantedCall, clean
from app.core.outbound import Outbound, OutboundAnswer, OutboundFailed, OutboundRequest
from app.exceptions import AppError
from app.schemas.tools import PLACEHOLDER, HttpMethod
from app.services.running.arguments import problem_with
from app.services.running.plans import Json, PlannedTool

IN_THE_ADDRESS = frozenset({HttpMethod.GET, HttpMethod.DELETE})
REDIRECTS, TIMEOUT_S = 3, 30.0
MAX_RESULT_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call: any JSON, and a word for statistics where it failed."""

    result: Any
    error_type: str | None = None

    @property
    def content(self) -> str:
        """As the model is told."""
        if isinstance(self.result, str):
            return self.result
        return json.dumps(self.result, ensure_ascii=False)


def failed(error_type: str, message: str) -> Outcome:
    """The model is told what was wrong: it can do better, or say so."""
    return Outcome({"error": message}, error_type)


def arguments_of(call: WantedCall, schema: Json) -> Json | Outcome:
    """The arguments, or what to tell the model when they are not what the tool takes."""
    try:
        arguments = clean(call.parsed)
    except (ValueError, RecursionError):
        return failed("invalid_arguments", "The arguments are not valid JSON.")
    if not isinstance(arguments, dict):
        return failed("invalid_arguments", "The arguments must be a JSON object.")
    problem = problem_with(arguments, schema)
    return failed("invalid_arguments", problem) if problem else arguments


def in_address(value: Any) -> str:  # any JSON value
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def filled(url: str, arguments: Mapping[str, Any]) -> str:
    """The address with its ``{placeholders}`` filled. Raise ``ValueError`` for what leads away."""
    given = {name: in_address(arguments.get(name, "")) for name in PLACEHOLDER.findall(url)}
    missing = next((name for name, value in given.items() if not value), None)
    if missing:
        raise ValueError(f"The address needs the argument {missing}.")
    found = PLACEHOLDER.sub(lambda m: quote(given[m[1]], safe=""), url)
    if {".", ".."} & set(urlsplit(found).path.split("/")):
        raise ValueError("An argument would lead to another address.")
    return found


def request_for(
    endpoint: Json, arguments: Mapping[str, Any], headers: Mapping[str, str]
) -> OutboundRequest:
    """Arguments that the address names go there; the others as a query or as JSON.

    Raise ``ValueError`` for arguments that the address cannot take.
    """
    url, method = filled(endpoint["url"], arguments), HttpMethod(endpoint["method"])
    named = set(PLACEHOLDER.findall(endpoint["url"]))
    rest = {name: value for name, value in arguments.items() if name not in named}
    content = b""
    sent = {"accept": "application/json, text/plain;q=0.9, */*;q=0.1"} | dict(headers)
    if method not in IN_THE_ADDRESS:
        content = json.dumps(rest, ensure_ascii=False).encode()
        sent["content-type"] = "application/json"
    elif rest:
        query = urlencode({name: in_address(value) for name, value in rest.items()})
        url = f"{url}{'&' if urlsplit(url).query else '?'}{query}"
    return OutboundRequest(
        method.value,
        url,
        headers=sent,
        content=content,
        redirects=REDIRECTS,
        timeout_s=TIMEOUT_S,
        max_bytes=MAX_RESULT_BYTES,
    )


def outcome_of(answer: OutboundAnswer) -> Outcome:
    """JSON where it is JSON, else text; 4xx and 5xx are failures."""
    text = answer.body.decode("utf-8", "replace")
    try:
        result = clean(json.loads(text)) if text else None
    except (ValueError, RecursionError):
        result = clean(text)
    if answer.status < 400:
        return Outcome(result)
    told = {"error": f"The tool answered {answer.status}.", "answer": result}
    return Outcome(told, str(answer.status))


async def call_tool(
    outbound: Outbound, tool: PlannedTool, arguments: Json, headers: Mapping[str, str]
) -> Outcome:
    """Whatever happens is a result: a tool that fails does not end the run."""
    try:
        request = request_for(tool.endpoint or {}, arguments, headers)
        return outcome_of(await outbound.send(request))
    except (ValueError, UnicodeError) as error:
        return failed("invalid_arguments", str(error) or "The arguments cannot be sent.")
    except AppError as error:
        kind = "tool_unreachable" if isinstance(error, OutboundFailed) else "address_refused"
        return failed(kind, error.message)
