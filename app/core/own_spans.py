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


def export_headers(settings: Settings) -> dict[str, str]:
    """OTLP_HEADERS, and whose spans they are."""
    given = settings.otlp_headers.get_secret_value() if settings.otlp_headers else ""
    return pairs(given) | {EXPORT_HEADER: fingerprint(settings)}


def pairs(text: str) -> dict[str, str]:
    """``name=value,name=value``, as OTEL_EXPORTER_OTLP_HEADERS is written."""
    parts = (part.partition("=") for part in text.split(",") if "=" in part)
    return {name.strip(): value.strip() for name, _, value in parts}


def traces_url(endpoint: str) -> str:
    base = endpoint.rstrip("/")
    return base if base.endswith("/v1/traces") else f"{base}/v1/traces"
