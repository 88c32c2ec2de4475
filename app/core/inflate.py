"""Decompression that stops where it was told to, whatever the sender packed."""

import zlib

from app.core.texts import lazy
from app.core.wording import number
from app.exceptions import BadRequest, PayloadTooLarge

GZIP = 31  # zlib's window bits for a gzip header and trailer
CHUNK = 1024 * 1024
# After each member what is left is copied, so that many small ones would take for ever.
MAX_MEMBERS = 100


def gunzip(data: bytes, max_bytes: int) -> bytes:
    """The content of one or several gzip members (RFC 1952), ``MAX_MEMBERS`` at most.

    Raise ``BadRequest`` for what is no gzip, ``PayloadTooLarge`` beyond ``max_bytes``.
    """
    parts: list[bytes] = []
    size = members = 0
    while data:
        members += 1
        if members > MAX_MEMBERS:
            raise BadRequest(
                lazy(
                    "The body has more than %(max_members)s gzip members.", max_members=MAX_MEMBERS
                )
            )
        member = zlib.decompressobj(GZIP)
        while not member.eof:
            try:
                part = member.decompress(data, CHUNK)
            except zlib.error as error:
                raise BadRequest(
                    lazy("The body is not compressed by gzip, as its header says.")
                ) from error
            if not part and not member.eof and not member.unconsumed_tail:
                raise BadRequest(lazy("The compressed body ends too early."))
            parts.append(part)
            size += len(part)
            if size > max_bytes:
                raise PayloadTooLarge(
                    lazy(
                        "Decompressed, the body has more than %(max_bytes)s bytes.",
                        max_bytes=number(max_bytes),
                    )
                )
            data = member.unconsumed_tail
        data = member.unused_data
    return b"".join(parts)
