"""Spans of ours must not come back to us: each would be taken in, and be a span once more.

An endpoint that is plainly this installation is refused with the settings. One that leads here by a
detour is recognised when the spans arrive, by a header of every export.
"""

from app.core.config import Settings
from app.core.keys import derived_key

EXPORT_HEADER = "x-greenroom-export"


def fingerprint(settings: Settings) -> str:
    """Equal for all processes of an installation, and for no other's."""
    return derived_key(settings.secret_key.get_secret_value(), "own-spans").hex()[:32]
