"""What is wrong with the head of a request, before anything of the product sees it.

The parser (llhttp, strict) refuses folded and garbled headers, doubled or contradicting lengths
and bare line ends by itself; here is what it lets through.
"""

import re
from collections.abc import Sequence
from http import HTTPStatus

MAX_HEAD_BYTES = 32 * 1024
MAX_HEADERS = 100
VERSIONS = frozenset({"1.0", "1.1"})
AUTHORITY = re.compile(rb"^https?://([^/?#]*)")
Header = tuple[bytes, bytes]


class Refusal(Exception):
    """An answer instead of the product's, and the end of the connection."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text

    def as_bytes(self) -> bytes:
        """The whole answer."""
        lines = (
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            "content-type: text/plain; charset=utf-8",
            f"content-length: {len(self.text)}",
            "connection: close",
            *(("retry-after: 1",) if self.status == HTTPStatus.SERVICE_UNAVAILABLE else ()),
            "",
            self.text,
        )
        return "\r\n".join(lines).encode("ascii")


TOO_LARGE = f"The headers of a request may have {MAX_HEAD_BYTES} bytes."


def check_head(method: str, version: str, url: bytes, headers: Sequence[Header]) -> None:
    """Raise ``Refusal`` unless there is one way only to read it (RFC 9112, 3.2 and 6.1)."""
    if version not in VERSIONS:
        raise Refusal(505, "Speak HTTP/1.1.")
    if method == "CONNECT" or not url.startswith((b"/", b"http://", b"https://")):
        raise Refusal(400, "The request does not name a path.")
    if len(headers) > MAX_HEADERS:
        raise Refusal(431, f"A request may have {MAX_HEADERS} headers.")
    if len(url) + sum(len(name) + len(value) + 4 for name, value in headers) > MAX_HEAD_BYTES:
        raise Refusal(431, TOO_LARGE)
    check_hosts(version, url, valued(headers, b"host"))
    check_framing(version, headers)


def valued(headers: Sequence[Header], name: bytes) -> list[bytes]:
    return [value for given, value in headers if given == name]


def check_hosts(version: str, url: bytes, hosts: Sequence[bytes]) -> None:
    """One, and none only where HTTP/1.0 knows none: the product refuses that in its own words.

    A whole address counts before the header for who keeps to the standard, so they have to agree.
    """
    if len(hosts) > 1 or (not hosts and version == "1.1"):
        raise Refusal(400, "A request has one Host header.")
    if not url.startswith(b"/") and [AUTHORITY.split(url)[1].lower()] != [
        host.strip().lower() for host in hosts
    ]:
        raise Refusal(400, "The address and the Host header name different hosts.")


def check_framing(version: str, headers: Sequence[Header]) -> None:
    """Chunks are the only encoding that is undone here, and only HTTP/1.1 has them."""
    encodings = valued(headers, b"transfer-encoding")
    if any(value.strip().lower() != b"chunked" for value in encodings):
        raise Refusal(501, "The only Transfer-Encoding here is chunked.")
    if encodings and version == "1.0":
        raise Refusal(400, "HTTP/1.0 has no Transfer-Encoding.")
    has_body = bool(encodings) or any(
        value.strip() != b"0" for value in valued(headers, b"content-length")
    )
    # The parser takes all that follows the head for another protocol.
    if has_body and valued(headers, b"upgrade"):
        raise Refusal(400, "A request with a body cannot change the protocol.")
