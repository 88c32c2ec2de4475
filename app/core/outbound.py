"""Requests to addresses that somebody else named, such as those of tools and webhooks.

The name is looked up once, every address is checked, and the connection goes to exactly the one
that was checked; Host and TLS keep the name. A redirect is a new request with a new check. So a
name that answers with another address the second time gets nowhere.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache

import httpx2

from app.core.addresses import Network, literal, may_connect
from app.core.watchers import TRAIL
from app.exceptions import AppError

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
CONNECT_WITHIN_S = 5.0
ADDRESSES_TRIED = 3
MAX_URL_LENGTH = 4_000
USER_AGENT = "Greenroom"


class OutboundRefused(AppError):
    """The address is not one that the product connects to."""

    status = 422
    code = "ADDRESS_REFUSED"


class OutboundFailed(AppError):
    """The other server could not be reached, or its answer could not be used."""

    status = 502
    code = "OUTBOUND_FAILED"


class OutboundTimeout(OutboundFailed):
    """The other server did not answer in time."""

    status = 504
    code = "OUTBOUND_TIMEOUT"


@dataclass(frozen=True, slots=True)
class OutboundRequest:
    """``headers`` may hold secrets: they are sent to the origin of ``url`` and no other.

    ``is_excerpt`` takes the first ``max_bytes`` of the answer and leaves the rest, where only the
    status counts.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    redirects: int = 0
    timeout_s: float = 30.0
    max_bytes: int = 1024 * 1024
    is_excerpt: bool = False


@dataclass(frozen=True, slots=True)
class OutboundAnswer:
    """What came back, its whole body read."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


async def resolve(host: str, port: int) -> Sequence[str]:
    """Every address of a name, as the system finds them. Raise ``OSError`` for none."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@lru_cache(maxsize=1)
def tls() -> ssl.SSLContext:
    return httpx2.create_ssl_context(trust_env=False)


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Connects to addresses that were checked, once for each request; connections are not kept."""

    def __init__(self, allowed: Sequence[Network], resolver: Resolver) -> None:
        self._allowed = allowed
        self._resolve = resolver
        self._inner = httpx2.AsyncHTTPTransport(
            verify=tls(), trust_env=False, limits=httpx2.Limits(max_keepalive_connections=0)
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raise ``OutboundRefused``, and ``httpx2.TransportError`` when nobody answers there."""
        addresses = await self._addresses(request.url)
        *others, last = addresses[:ADDRESSES_TRIED]
        for address in others:
            with suppress(httpx2.ConnectError, httpx2.ConnectTimeout):
                return await self._inner.handle_async_request(to_address(request, address))
        return await self._inner.handle_async_request(to_address(request, last))

    async def _addresses(self, url: httpx2.URL) -> Sequence[str]:
        check_url(url)
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            # As it goes over the wire: what the resolver makes of odd spellings is what counts.
            addresses = await self._resolve(url.raw_host.decode(), port)
        except (OSError, UnicodeError, OverflowError) as error:
            raise OutboundFailed(f"There is no server called {url.host}.") from error
        if not addresses or not all(may_connect(found, self._allowed) for found in addresses):
            raise refusal_of(url.host)
        return addresses

    async def aclose(self) -> None:
        await self._inner.aclose()


def refusal_of(host: str) -> OutboundRefused:
    return OutboundRefused(
        f"{host} is not an address that Greenroom connects to. The operator can allow "
        "networks of one's own by OUTBOUND_ALLOWED_NETWORKS."
    )


def check_literal(url: str, allowed: Sequence[Network]) -> None:
    """Raise ``OutboundRefused`` for a number of a machine that no call will ever reach.

    What a name leads to may change, so that is looked at when it is called.
    """
    host = httpx2.URL(url).raw_host.decode()
    address = literal(host)
    if address is not None and not may_connect(address, allowed):
        raise refusal_of(host)


def to_address(request: httpx2.Request, address: str) -> httpx2.Request:
    """The same request, sent to this address under the name that was asked for."""
    return httpx2.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions=request.extensions | {"sni_hostname": request.url.raw_host.decode()},
    )


def check_url(url: httpx2.URL) -> None:
    """Raise ``OutboundRefused`` for what is no plain http or https address."""
    if url.scheme not in ("http", "https"):
        raise OutboundRefused("Only http and https addresses can be called.")
    if not url.host or "%" in url.host:
        raise OutboundRefused("The address names no server.")
    if url.userinfo:
        raise OutboundRefused("The address must not carry a user name or password.")


def parsed(url: str) -> httpx2.URL:
    """Raise ``OutboundRefused`` for what is no address."""
    if len(url) > MAX_URL_LENGTH:
        raise OutboundRefused("The address is too long.")
    try:
        found = httpx2.URL(url)
    except (httpx2.InvalidURL, UnicodeError) as error:
        raise OutboundRefused("That is not an address that can be called.") from error
    check_url(found)
    return found


class Outbound:
    """Sends requests under the guard. ``allowed`` are networks that are reached though private."""

    def __init__(self, allowed: Sequence[Network] = (), resolver: Resolver = resolve) -> None:
        self._allowed = allowed
        self._resolve = resolver

    async def send(self, asked: OutboundRequest) -> OutboundAnswer:
        """Raise ``OutboundRefused``, ``OutboundTimeout`` or ``OutboundFailed``.

        No message holds more of the request than the name of the server.
        """
        url = parsed(asked.url)
        try:
            with TRAIL.get().call(asked.method, url.host) as headers:
                async with asyncio.timeout(asked.timeout_s):
                    return await self._send(asked, url, headers)
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise OutboundTimeout(
                f"{url.host} did not answer within {asked.timeout_s:g} seconds."
            ) from error
        except httpx2.LocalProtocolError as error:
            raise OutboundRefused("A header of this request is not valid.") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError, OSError) as error:
            raise OutboundFailed(f"{url.host} could not be reached.") from error

    async def _send(
        self, asked: OutboundRequest, url: httpx2.URL, trail: Mapping[str, str]
    ) -> OutboundAnswer:
        transport = GuardedTransport(self._allowed, self._resolve)
        timeout = httpx2.Timeout(asked.timeout_s, connect=CONNECT_WITHIN_S)
        async with httpx2.AsyncClient(
            transport=transport, timeout=timeout, trust_env=False, follow_redirects=False
        ) as client:
            # Decompressing is where a small answer becomes a large one.
            headers = {"user-agent": USER_AGENT, **trail, **asked.headers}
            headers["accept-encoding"] = "identity"
            request = client.build_request(
                asked.method, url, headers=headers, content=asked.content or None
            )
            for _ in range(asked.redirects + 1):
                response = await client.send(request, stream=True)
                if response.next_request is None or not asked.redirects:
                    take = read_excerpt if asked.is_excerpt else read
                    return await take(response, asked.max_bytes)
                await response.aclose()
                request = redirected(response.next_request, url, asked.headers)
        raise OutboundFailed(f"{url.host} redirects too often.")


def redirected(
    request: httpx2.Request, origin: httpx2.URL, secrets: Mapping[str, str]
) -> httpx2.Request:
    """The request that a redirect asks for, without the headers that were not meant for there."""
    check_url(request.url)
    if request.url.origin != origin.origin:
        for name in secrets:
            request.headers.pop(name, None)
    return request


async def read_excerpt(response: httpx2.Response, max_bytes: int) -> OutboundAnswer:
    """The first bytes of the body; none of one that is compressed."""
    body = bytearray()
    try:
        if response.headers.get("content-encoding", "identity").lower() == "identity":
            async for chunk in response.aiter_raw():
                body += chunk[: max_bytes - len(body)]
                if len(body) >= max_bytes:
                    break
    finally:
        await response.aclose()
    return OutboundAnswer(response.status_code, dict(response.headers), bytes(body))


async def read(response: httpx2.Response, max_bytes: int) -> OutboundAnswer:
    try:
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise OutboundFailed("The answer is compressed, though it was asked not to be.")
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > max_bytes:
                raise OutboundFailed(f"The answer is larger than {max_bytes:,} bytes.")
        return OutboundAnswer(response.status_code, dict(response.headers), bytes(body))
    finally:
        await response.aclose()
