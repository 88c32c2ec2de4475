"""Webhook endpoints: what may be asked for; a secret is in one answer only."""

from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from app.core.texts import _
from app.models.webhook_endpoints import EndpointState, WebhookEvent
from app.schemas.base import (
    Flag,
    Input,
    Output,
    OverlapHours,
    PageQuery,
    Patch,
    ShortText,
    blank_to_none,
    storable_text,
)

MAX_URL_LENGTH = 2000


def plain_address(url: str) -> str:
    """Raise ``ValueError`` for what is no http address, or hides something in itself."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(_("is not an address")) from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(_("must be an address such as https://example.com/hooks"))
    if parts.username is not None or parts.password is not None:
        raise ValueError(_("must not carry a user name or password; messages are signed instead"))
    if parts.fragment:
        raise ValueError(_("must not have a part after #, which is never sent"))
    if any(not letter.isprintable() or letter.isspace() for letter in url):
        raise ValueError(_("must not hold spaces or control characters"))
    return url


def each_once(events: list[WebhookEvent]) -> list[WebhookEvent]:
    return sorted(set(events))


Url = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_URL_LENGTH),
    AfterValidator(storable_text),
    AfterValidator(plain_address),
]
Events = Annotated[
    list[WebhookEvent], Field(min_length=1, max_length=100), AfterValidator(each_once)
]
Description = Annotated[ShortText | None, BeforeValidator(blank_to_none)]


class WebhookEndpointCreate(Input):
    url: Url
    """Where messages are posted to; https in production."""
    description: Description = None
    events: Events
    """What it is told of."""


class WebhookEndpointUpdate(Patch):
    url: Url = ""
    description: Description = None
    events: Events = Field(default_factory=list)
    is_active: Flag = True
    """False: nothing is sent. True again: what happened meanwhile is not sent later."""


class WebhookEndpointRotate(Input):
    overlap_hours: OverlapHours = 24
    """How long messages are signed with the old secret, too."""


class WebhookEndpointQuery(PageQuery):
    """``q`` finds a part of the address or the description."""

    is_active: bool | None = None
    """Enabled ones, or disabled ones."""
    event: Annotated[WebhookEvent | None, BeforeValidator(blank_to_none)] = None
    """Those that are told of this."""


class WebhookEndpointRead(Output):
    id: int
    user_id: int
    url: str
    description: str | None
    events: list[WebhookEvent]
    state: EndpointState
    is_active: bool
    disabled_reason: str | None
    failing_since: datetime | None
    old_secret_until: datetime | None
    row_version: int
    created_at: datetime
    updated_at: datetime


class WebhookEndpointCreated(WebhookEndpointRead):
    """The one answer that holds the secret."""

    secret: str | None
    """Null in a repetition under the same Idempotency-Key: it is shown once."""
