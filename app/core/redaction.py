"""A second line of defence: what looks like a credential leaves no process in clear.

The first one is that none is put into a log line, an error report or a span to begin with.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from app.core.config import Settings
from app.core.secret_names import is_secret

REDACTED = "[redacted]"
MIN_KNOWN_LENGTH = 8  # shorter ones would be found in ordinary words
MAX_DEPTH = 6
# What any text that holds a credential below has in it: looked for first, because it is quick.
MARKS = ("gr_", "whsec_", "sk-", "eyJ", "earer ", "asic ", "://", "=", "DETAIL", "rameters: ")
MASKS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    # Keys and tokens of ours, secrets of webhooks, keys of providers, JWTs.
    (re.compile(r"\bgr[a-z]*_[0-9A-Za-z]{16,}"), REDACTED),
    (re.compile(r"\bwhsec_[0-9A-Za-z+/=_-]{8,}"), REDACTED),
    (re.compile(r"\bsk-[0-9A-Za-z_-]{8,}"), REDACTED),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?"), REDACTED),
    (re.compile(r"\b([Bb]earer|[Bb]asic)\s+[\w.~+/=-]{6,}"), rf"\1 {REDACTED}"),
    # Passwords in addresses, and tokens in their queries.
    (re.compile(r"(://[^/\s:@]*:)[^@/\s]+@"), rf"\1{REDACTED}@"),
    (
        re.compile(r"(?i)([?&](?:token|key|code|secret|password|sig|signature)=)[^&\s\"'<>]+"),
        rf"\1{REDACTED}",
    ),
    (re.compile(r"(?i)\b((?:__Host-)?greenroom\w*=)[^;\s\"']+"), rf"\1{REDACTED}"),
    # What libraries tell of the input that they refused.
    (re.compile(r"(input_value=).*?(?=, input_type=|\]|$)", re.MULTILINE), rf"\1{REDACTED}"),
    (re.compile(r"(DETAIL:\s+).*"), rf"\1{REDACTED}"),
    (re.compile(r"(\[parameters: ).*?\](?=\s|$)", re.DOTALL), rf"\1{REDACTED}]"),
)


def secrets_of(settings: Settings) -> Iterator[str]:
    """Every credential that this process was configured with."""
    for value in vars(settings).values():
        given = value if isinstance(value, list) else [value]
        for secret in given:
            if isinstance(secret, SecretStr):
                yield from parts_of(secret.get_secret_value())


def parts_of(secret: str) -> Iterator[str]:
    """Of an address, the credentials in it; it names places, too, that may be told."""
    if "://" not in secret:
        yield secret
        return
    address = urlsplit(secret)
    # The public half of an error tracker's key stands where others have a user's name.
    alone = address.username if address.password is None else address.password
    if alone and alone != "postgres":
        yield from {alone, unquote(alone)}


class Redaction:
    """Masks credentials in texts and in whatever holds texts; knows those of the settings."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = tuple(sorted({k for k in known if len(k) >= MIN_KNOWN_LENGTH}, key=len)[::-1])

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(secrets_of(settings))

    def text(self, text: str) -> str:
        for secret in self._known:
            if secret in text:
                text = text.replace(secret, REDACTED)
        if any(mark in text for mark in MARKS):
            for pattern, mask in MASKS:
                text = pattern.sub(mask, text)
        return text

    def value(self, value: Any, depth: int = MAX_DEPTH) -> Any:
        """The same with its texts masked, and with what is named like a credential left out."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return self.mapping(value, depth - 1) if depth else REDACTED
        if isinstance(value, list | tuple):
            return [self.value(item, depth - 1) for item in value] if depth else REDACTED
        return value

    def mapping(self, values: Mapping[Any, Any], depth: int = MAX_DEPTH) -> dict[Any, Any]:
        return {
            name: REDACTED if is_secret(str(name)) else self.value(value, depth)
            for name, value in values.items()
        }
