"""Whether an address that is to be stored can be called at all."""

from app.core.config import Settings
from app.core.outbound import OutboundRefused, check_literal
from app.exceptions import Invalid


def check_callable(url: str, settings: Settings, *, field: str) -> None:
    """Raise ``Invalid`` where every call would be refused; names are looked up at each call."""
    try:
        check_literal(url, settings.outbound_allowed_networks)
    except OutboundRefused as error:
        raise Invalid(error.message, field=field) from error
