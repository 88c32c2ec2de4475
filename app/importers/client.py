"""A patient client of the JSON API: it tries again what may succeed later, and says so."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx2

Json = dict[str, Any]  # an object of the API
API_PREFIX = "/api/v1"
JSON_BODY = {"Content-Type": "application/json"}
# Answers that say "later", and the pauses in seconds before each further try.
LATER = frozenset({429, 502, 503, 504})
PAUSES_S = (0.5, 1, 2, 4, 8, 15, 30)
LONGEST_PAUSE_S = 300
# Answers to a whole batch that may be the fault of one item.
PERHAPS_ONE_ITEM = frozenset({400, 413, 422})
TIMEOUT = httpx2.Timeout(10, read=180, write=60)
PER_PAGE = 100


class ApiError(Exception):
    """The server refused or cannot be used; the message is fit for the user."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Item:
    """A run ready to be sent: what it is called where it comes from, its external id, its JSON."""

    name: str
    external_id: str
    body: bytes


@dataclass(slots=True)
class Tally:
    """What became of the runs that were sent; ``refused`` holds a line for each."""

    created: int = 0
    known: int = 0
    refused: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        return f"{self.created} created, {self.known} known, {len(self.refused)} refused"

    def add(self, other: "Tally") -> None:
        self.created += other.created
        self.known += other.known
        self.refused += other.refused


def origin_of(url: str) -> str:
    """The server's address without the API's own path. Raise ``ApiError`` for what is none."""
    try:
        parts = urlsplit(url.strip())
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # the port is none
        known = False
    if not known:
        raise ApiError(f"{url} is not an address such as http://localhost:8000.")
    return url.strip().rstrip("/").removesuffix(API_PREFIX)


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Seconds from a Retry-After header, which may hold a date (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def problem_of(response: httpx2.Response) -> str:
    """The message of an error envelope with the fields it names, or of a ``google.rpc.Status``."""
    try:
        said = response.json()
        return explained(said["error"]) if "error" in said else str(said["message"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"The server answered {response.status_code}, not as Greenroom does."


def explained(error: Json) -> str:
    told = [
        f"{detail['field']}: {detail['message']}" if detail.get("field") else detail["message"]
        for detail in error.get("details") or []
        if isinstance(detail, dict) and detail.get("message") not in (None, error["message"])
    ]
    return " ".join([str(error["message"]), *told])


class Greenroom:
    """The API of one server with one key. ``notify`` is told in words why it waits."""

    def __init__(
        self,
        url: str,
        api_key: str,
        notify: Callable[[str], None],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        key = api_key.strip()
        if not (key.isascii() and key.isprintable() and key):
            raise ApiError("The API key holds characters that no key has.")
        self._url, self._notify, self._pause = origin_of(url), notify, pause
        try:
            self._http = httpx2.Client(
                base_url=self._url, headers={"X-API-Key": key}, timeout=TIMEOUT
            )
        except httpx2.InvalidURL as error:
            raise ApiError(f"{url} is not an address: {error}.") from error

    def __enter__(self) -> "Greenroom":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    # Agents and tools

    def find_agents(self, name: str) -> list[Json]:
        return self._named("/agents", name)

    def get_agent(self, agent_id: int) -> Json:
        return self._call("GET", f"/agents/{agent_id}")

    def find_tools(self, name: str) -> list[Json]:
        return self._named("/tools", name)

    def _named(self, path: str, name: str) -> list[Json]:
        params: dict[str, str | int] = {"name": name, "page_size": PER_PAGE}
        items = self._call("GET", path, params=params).get("items")
        return items if isinstance(items, list) else []

    def create_agent(self, data: Json) -> Json:
        return self._call("POST", "/agents", json=data)

    def create_tool(self, data: Json) -> Json:
        return self._call("POST", "/tools", json=data)

    def set_tools(self, agent: Json, tool_ids: Sequence[int]) -> Json:
        """Raise ``ApiError`` when the agent was changed since it was read."""
        headers = {"If-Match": f'"{agent["row_version"]}"'}
        data = {"tool_ids": list(tool_ids)}
        return self._call("PATCH", f"/agents/{agent['id']}", json=data, headers=headers)

    # Runs

    def record(self, items: Sequence[Item]) -> Tally:
        """Send runs in one request; in halves where the request as a whole is refused."""
        body = b'{"items":[' + b",".join(item.body for item in items) + b"]}"
        try:
            answer = self._call("POST", "/executions/batch", content=body, headers=JSON_BODY)
        except ApiError as error:
            if error.status not in PERHAPS_ONE_ITEM:
                raise
            return self._record_apart(items, error)
        return tally_of(items, answer)

    def _record_apart(self, items: Sequence[Item], error: ApiError) -> Tally:
        if len(items) == 1:
            return Tally(refused=[refusal(items[0], str(error))])
        middle = len(items) // 2
        tally = self.record(items[:middle])
        tally.add(self.record(items[middle:]))
        return tally

    # OpenTelemetry

    def export(self, path: str, body: bytes) -> Json:
        """Send a request of OTLP in JSON, to a path that begins at the origin: the response."""
        return self._answer("POST", path, content=body, headers=JSON_BODY)

    # Requests

    def _call(self, method: str, path: str, **options: Any) -> Json:  # httpx2's request options
        return self._answer(method, API_PREFIX + path, **options)

    def _answer(self, method: str, path: str, **options: Any) -> Json:  # as above
        """The JSON object of a good answer. Raise ``ApiError`` for any other."""
        response = self._send(method, path, **options)
        if not response.is_success:
            raise ApiError(problem_of(response), response.status_code)
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ApiError(f"{self._url} does not answer as Greenroom does. Is it the address?")
        return answer

    def _send(self, method: str, path: str, **options: Any) -> httpx2.Response:  # as above
        for pause_s in (*PAUSES_S, None):
            problem, asked_s = "", None
            try:
                response = self._http.request(method, path, **options)
            except (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError) as error:
                raise ApiError(f"Cannot use {self._url}: {error}.") from error
            except httpx2.TransportError as error:
                problem = f"Cannot reach {self._url} ({type(error).__name__})"
            else:
                if response.status_code not in LATER:
                    return response
                problem = f"{self._url} answers {response.status_code}: {problem_of(response)}"
                asked_s = retry_after_s(response.headers.get("retry-after"), datetime.now(UTC))
            self._wait(problem, pause_s, asked_s)
        raise AssertionError("the last try returns or raises")

    def _wait(self, problem: str, pause_s: float | None, asked_s: float | None) -> None:
        """Raise ``ApiError`` when there have been enough tries, or the server asks for too long."""
        if pause_s is None:
            raise ApiError(f"{problem}. Gave up after {len(PAUSES_S) + 1} tries.")
        wait_s = pause_s if asked_s is None else asked_s
        if wait_s > LONGEST_PAUSE_S:
            raise ApiError(f"{problem}. It asks to come back in {wait_s:,.0f} s.")
        self._notify(f"{problem}. Trying again in {wait_s:g} s.")
        self._pause(wait_s)


def refusal(item: Item, reason: str) -> str:
    return f"{item.name} ({item.external_id}): {reason}"


def tally_of(items: Sequence[Item], answer: Json) -> Tally:
    """Raise ``ApiError`` when the answer does not speak of each item."""
    tally = Tally()
    try:
        answered = {int(entry["index"]): entry for entry in answer["items"]}
        for index, item in enumerate(items):
            entry = answered[index]
            tally.created += entry["status"] == 201
            tally.known += entry["status"] == 200
            if entry["status"] >= 400:
                tally.refused.append(refusal(item, explained(entry["error"])))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ApiError("The server's answer to a batch does not name each run.") from error
    return tally
