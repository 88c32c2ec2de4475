"""Pictures and files within messages: what a page may draw, and what it says of the rest."""

import re
from dataclasses import dataclass
from typing import Any

from app.services.ingestion.dialects.messages import messages_from

Message = dict[str, Any]  # OpenAI's shape, or near it
# Nothing is fetched from elsewhere: only pictures that are in the message itself are drawn, of
# formats that hold no script, and none so large that a page of them would not load.
MAX_DRAWN = 700_000  # characters of a data URL
DRAWN = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}\Z")
MIME = re.compile(r"data:([\w.+-]+/[\w.+-]+)")
SHOWN_URL = 300


@dataclass(frozen=True, slots=True)
class Media:
    """``source`` is a data URL that may be drawn; ``label`` is text and never a link."""

    label: str
    source: str | None = None


def in_one_shape(messages: list[Message], role: str) -> list[Message]:
    """Messages whose content is in parts, of any provider, as OpenAI's; the others as they are."""
    found: list[Message] = []
    for message in messages:
        in_parts = isinstance(message.get("content", message.get("parts")), list)
        found += messages_from(message, role) if in_parts else [message]
    return found


def media_in(content: Any) -> list[Media]:  # a message's content
    parts = content if isinstance(content, list) else []
    return [found for part in parts if isinstance(part, dict) and (found := media_of(part))]


def media_of(part: dict[str, Any]) -> Media | None:
    """``None`` for a part of text, or of a kind that nothing is known of."""
    kind = part.get("type")
    inner = part.get(kind) if isinstance(kind, str) else None
    if kind not in ("image_url", "file", "input_audio") or not isinstance(inner, dict):
        return None
    url = str(inner.get("url") or inner.get("file_data") or "")
    mime = MIME.match(url)
    name = str(inner.get("filename") or inner.get("file_id") or "")
    said = str(inner.get("mime_type") or (mime[1] if mime else inner.get("format") or ""))
    noun = {"image_url": "Image", "input_audio": "Audio"}.get(kind, "File")
    size = size_of(url or str(inner.get("data") or ""))
    where = "" if url.startswith("data:") else url[:SHOWN_URL]
    label = f"{noun}: {', '.join(filter(None, (name, said, size, where)))}".rstrip(": ")
    return Media(label, url if len(url) <= MAX_DRAWN and DRAWN.match(url) else None)


def size_of(url: str) -> str:
    """Of what is within a data URL, which takes four characters for three bytes."""
    _, _, data = url.rpartition(",")
    is_here = url.startswith("data:") or (data and "/" not in url[:8])
    return f"{max(1, len(data) * 3 // 4096):,} KB" if is_here and data else ""
