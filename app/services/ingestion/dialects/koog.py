"""Koog, of JetBrains: the conventions up to 1.36, and nodes of a strategy around the calls."""

from collections.abc import Mapping
from typing import Any

from app.models.spans import SpanKind
from app.services.ingestion.dialects.dialect import Dialect, Seen


def derive(seen: Seen) -> Mapping[str, Any]:
    return {"kind": SpanKind.CHAIN} if "koog.node.name" in seen.attributes else {}


KOOG = Dialect(name="koog", prefixes=("koog.",), derive=derive)
