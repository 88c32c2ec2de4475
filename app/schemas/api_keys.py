"""API keys: what may be asked for; the secret is in one answer only."""

from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from app.core.permissions import KEY_SCOPES, Permission
from app.core.texts import _
from app.models.api_keys import KeyState
from app.schemas.base import (
    Input,
    Moment,
    Output,
    OverlapHours,
    PageQuery,
    Patch,
    RowId,
    storable_text,
)

MAPPED_BITS = 96  # of ::ffff:0:0/96, the IPv4 addresses within IPv6


def known_scopes(scopes: list[Permission]) -> list[Permission]:
    """Raise ``ValueError`` naming what a key may not have, and what it may."""
    refused = [scope for scope in scopes if scope not in KEY_SCOPES]
    if refused:
        names = {"refused": ", ".join(refused), "allowed": ", ".join(KEY_SCOPES)}
        raise ValueError(_("a key cannot have %(refused)s; allowed: %(allowed)s", **names))
    return sorted(set(scopes))


def as_network(text: str) -> IPv4Network | IPv6Network:
    """Bits beyond the mask are cleared; IPv4 written as IPv6 is IPv4, as it is at the door.

    Raise ``ValueError`` for anything else than an address or a range.
    """
    network = ip_network(text.strip(), strict=False)
    if isinstance(network, IPv6Network) and network.prefixlen >= MAPPED_BITS:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((mapped, network.prefixlen - MAPPED_BITS))
    return network


def normalised_ranges(ranges: list[str]) -> list[str]:
    """Networks as ``10.0.0.0/8``, each once. Raise ``ValueError`` naming the one that is wrong."""
    found = []
    for text in ranges:
        try:
            found.append(str(as_network(text)))
        except ValueError:
            said = _("%(text)s is no address range such as 192.0.2.0/24", text=repr(text[:60]))
            raise ValueError(said) from None
    return list(dict.fromkeys(found))


Ranges = Annotated[
    list[Annotated[str, StringConstraints(max_length=64)]],
    Field(max_length=20),
    AfterValidator(normalised_ranges),
]
KeyName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(storable_text),
]


class ApiKeyCreate(Input):
    name: KeyName
    scopes: Annotated[
        list[Permission], Field(min_length=1, max_length=50), AfterValidator(known_scopes)
    ]
    agent_id: RowId | None = None
    """The only agent that the key may touch."""
    allowed_cidrs: Ranges = Field(default_factory=list)
    """Address ranges (CIDR, IPv4 or IPv6) that the key may be used from; none is anywhere.

    Bits beyond the mask are cleared: 192.0.2.7/24 is kept as 192.0.2.0/24.
    """
    expires_at: Moment | None = None
    """Absent: 90 days from now. ``null``, said in so many words: never. At most 100 years."""


class ApiKeyRotate(Input):
    overlap_hours: OverlapHours = 24
    """How long the old key goes on working."""


class ApiKeyUpdate(Patch):
    name: KeyName = ""


class ApiKeyQuery(PageQuery):
    """``q`` finds words in the name, or the first characters of a key."""

    user_id: RowId | None = None
    """One person's keys."""
    agent_id: RowId | None = None
    """Keys that may touch this agent alone."""
    state: KeyState | None = None
    """Keys that are good for this; `expiring` ones end within a week."""
    unused_days: Annotated[int | None, Field(ge=1, le=3650)] = None
    """Working keys made before so many days, and not used since."""


class ApiKeyPageQuery(ApiKeyQuery):
    """Of the page, which shows one's own keys unless everyone's are asked for."""

    everyone: bool = False
    """Everyone's, for who manages keys."""


class ApiKeyRead(Output):
    id: int
    user_id: int
    name: str
    prefix: str
    scopes: list[str]
    agent_id: int | None
    allowed_cidrs: list[str]
    expires_at: datetime | None
    last_used_at: datetime | None
    last_used_ip: str | None
    replaced_by_id: int | None
    paused_at: datetime | None
    revoked_at: datetime | None
    created_at: datetime


class ApiKeyCreated(ApiKeyRead):
    """The one answer that holds the whole key."""

    key: str | None
    """Null in a repetition under the same Idempotency-Key: it is kept nowhere."""
